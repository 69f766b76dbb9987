"""The phases of a rock by name: what a label value means, what a network is asked for, and which phase a pixel is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.files import name_that_fits

#: the only phase where nothing else is said
PORE = "pore"

#: codes of a label image (H, W), uint8: 0 is none of the phases, k the phase number k from 1, and this one not known
UNLABELLED = 255
MOST_PHASES = UNLABELLED - 1

#: in training targets (N, K, H, W): 1 the phase, 0 not the phase, and this where it is not known
UNKNOWN = -1.0


@dataclass(frozen=True)
class Phase:
    """One phase.

    Attributes:
        name: As tables, reports and options have it.
        prompt: The phrase that the text prior is asked with; the name, unless another one was given.
    """

    name: str
    prompt: str

    @classmethod
    def of(cls, name: str, prompt: str | None = None) -> Phase:
        """A phase that is asked for by its name where no prompt is given."""
        return cls(name, prompt or name)

    def to_dict(self) -> dict[str, str]:
        """As checkpoints and manifests keep it."""
        return {"name": self.name, "prompt": self.prompt}


def phases_from(kept: Iterable[Mapping[str, Any]]) -> tuple[Phase, ...]:
    """The phases that `Phase.to_dict` wrote."""
    return tuple(Phase(str(phase["name"]), str(phase["prompt"])) for phase in kept)


def united(sets: Iterable[Sequence[Phase]]) -> tuple[Phase, ...]:
    """The phases of several data sets, each once by its name, in order of appearance; its first prompt counts."""
    together: dict[str, Phase] = {}
    for phases in sets:
        for phase in phases:
            together.setdefault(phase.name, phase)
    return tuple(together.values())


@dataclass(frozen=True)
class LabelValues:
    """What the values of a data set's label images mean.

    Attributes:
        phases: By name, in the data set's order; at most 254.
        values: Label values of each phase; several may be one phase.
        unlabelled: Label values about which nothing is known.
        rest: Label values that were said to be none of the phases, as all others are that are not named.
    """

    phases: tuple[Phase, ...]
    values: tuple[tuple[int, ...], ...]
    unlabelled: tuple[int, ...] = ()
    rest: tuple[int, ...] = ()

    @classmethod
    def of_pore(cls, value: int) -> LabelValues:
        """One phase, pore, by its value; all other values are rock."""
        return cls((Phase.of(PORE),), ((value,),))

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> LabelValues:
        """As `to_dict` wrote it."""
        values = tuple(tuple(map(int, one)) for one in kept["values"])
        return cls(phases_from(kept["phases"]), values, tuple(map(int, kept["unlabelled"])))

    def to_dict(self) -> dict[str, Any]:
        """What decides on the codes and prompts, as checkpoints and fingerprints keep it."""
        return {
            "phases": [phase.to_dict() for phase in self.phases],
            "values": [list(values) for values in self.values],
            "unlabelled": list(self.unlabelled),
        }

    def __str__(self) -> str:
        """As `--phases` and `--unlabelled` take it, for the log."""
        named = zip(self.names, self.values, strict=True)
        parts = [f"{name}={'+'.join(map(str, values))}" for name, values in named]
        return ", ".join([*parts, *(f"unlabelled={value}" for value in self.unlabelled)])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the phases."""
        return tuple(phase.name for phase in self.phases)

    @property
    def pore_label(self) -> int | None:
        """The value of the phase pore; None where it has none, or several."""
        values = dict(zip(self.names, self.values, strict=True)).get(PORE, ())
        return values[0] if len(values) == 1 else None

    @property
    def pores_only(self) -> bool:
        """Whether one value is pore and all others are rock, as in data sets that name no phases."""
        return self.pore_label is not None and self.to_dict() == LabelValues.of_pore(self.pore_label).to_dict()

    @property
    def named(self) -> set[int]:
        """All values of which something was said."""
        return {value for values in (*self.values, self.unlabelled, self.rest) for value in values}

    def codes(self, label: np.ndarray, among: Sequence[str] | None = None) -> np.ndarray:
        """Codes (H, W), uint8, of a label image (H, W): the phase's number from 1, 0 for none, 255 where not known.

        Args:
            label: Label values.
            among: Names of phases whose order gives the numbers; None: the data set's own. Its phases that are not
                among them are none of these phases.
        """
        numbers = {name: number for number, name in enumerate(self.names if among is None else among, start=1)}
        codes = np.zeros(label.shape, np.uint8)
        meant = [
            (value, numbers.get(name, 0)) for name, of in zip(self.names, self.values, strict=True) for value in of
        ]
        for value, code in (*meant, *((value, UNLABELLED) for value in self.unlabelled)):
            codes[label == value] = code  # np.isin takes 16 times the memory of a label image
        return codes

    def named_among(self, names: Sequence[str]) -> np.ndarray:
        """Which of the phases this data set has labels for, (K,), truth values; the others are unlabelled in it."""
        return np.array([name in self.names for name in names])


def targets(codes: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Training targets (K, H, W), float32, of codes (H, W): 1 the phase, 0 not, `UNKNOWN` where it is not known.

    Args:
        codes: As `LabelValues.codes` gives them, over K phases.
        named: Which phases the image's data set has labels for, (K,).
    """
    numbers = np.arange(1, len(named) + 1, dtype=np.uint8)
    result = (codes == numbers[:, None, None]).astype(np.float32)
    result[:, codes == UNLABELLED] = UNKNOWN
    result[~named] = UNKNOWN
    return result


def decided(probability: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """The phase of each pixel, uint8: the number from 1 of the most probable that reaches its threshold, 0 where none.

    For one phase this is `probability >= threshold`.

    Args:
        probability: Of each phase, (K, ...), 0 to 1.
        thresholds: Of each phase, K numbers.
    """
    limits = np.asarray(thresholds, probability.dtype).reshape(-1, *[1] * (probability.ndim - 1))
    reaching = np.where(probability >= limits, probability, -1)
    best = reaching.argmax(axis=0)
    return np.where(reaching.max(axis=0) >= 0, best + 1, 0).astype(np.uint8)


def taken_by_others(probability: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Which pixels another phase takes whatever the threshold of this one is, (K, ...), truth values.

    The phase k of `decided` is where its probability reaches its threshold and the pixel is not taken so.

    Args:
        probability: Of each phase, (K, ...), 0 to 1; below 0 a phase takes no part.
        thresholds: Of each phase, K numbers.
    """
    limits = np.asarray(thresholds, probability.dtype).reshape(-1, *[1] * (probability.ndim - 1))
    reaching = np.where(probability >= limits, probability, -1)
    taken = np.zeros(probability.shape, bool)
    for number, own in enumerate(probability):  # of equal ones the first is the phase
        before, after = reaching[:number], reaching[number + 1 :]
        taken[number] = (before >= own).any(axis=0) | (after > own).any(axis=0)
    return taken


def metric_of(phase: str, metric: str) -> str:
    """The name in MLflow of one phase's metric, as in `silt grain/val_dice`; odd characters become `_`."""
    return re.sub(r"[^\w.\- ]", "_", phase) + f"/{metric}"


def picture_name(image: str, phase: str | None = None) -> str:
    """The file of an image's picture, or of one of several phases in it: NAME.png, NAME_PHASE.png."""
    return name_that_fits(image, after=".png" if phase is None else f"_{phase.replace('/', '_')}.png")
