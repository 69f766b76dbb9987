"""The phases of a rock by name: what a label value means, what a network is asked for, and which phase a pixel is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
    """

    phases: tuple[Phase, ...]
    values: tuple[tuple[int, ...], ...]
    unlabelled: tuple[int, ...] = ()

    @classmethod
    def of_pore(cls, value: int) -> LabelValues:
        """One phase, pore, by its value; all other values are rock."""
        return cls((Phase.of(PORE),), ((value,),))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the phases."""
        return tuple(phase.name for phase in self.phases)

    def codes(self, label: np.ndarray, among: Sequence[str] | None = None) -> np.ndarray:
        """Codes (H, W), uint8, of a label image (H, W): the phase's number from 1, 0 for none, 255 where not known.

        Args:
            label: Label values.
            among: Names of phases whose order gives the numbers, this data set's among them; None: its own.
        """
        numbers = {name: number for number, name in enumerate(self.names if among is None else among, start=1)}
        codes = np.zeros(label.shape, np.uint8)
        for name, values in zip(self.names, self.values, strict=True):
            codes[np.isin(label, values)] = numbers[name]
        codes[np.isin(label, self.unlabelled)] = UNLABELLED
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
