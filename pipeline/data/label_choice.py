"""What the values of a data set's labels mean: by the options, by `phases.csv`, by `split.csv`, or by the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.data.phases_file import PHASES_FILE, read_phases_csv
from pipeline.data.pore_label import choose_pore_label, example_values, parse_pore_label
from pipeline.errors import UserError
from pipeline.label_values import parse_phases, parse_unlabelled
from pipeline.phases import LabelValues, Phase

#: pixels of each value, for each label file
Counts = Mapping[Path, Mapping[int, int]]


@dataclass(frozen=True)
class LabelChoice:
    """What was said of the values of labels, which decides before what stands in the data set's folder.

    Attributes:
        phases: Text such as `pore=2, silt grain=1`.
        pore_label: The value of the only phase, pore.
        unlabelled: Values about which nothing is known; None where nothing was said.
        usual: What to take where neither an option nor the folder says anything, and its values occur: what a model
            was trained with.
        needed: Whether it has to be known; otherwise there may be no phases.
        own_first: Whether what the folder says decides before the options, as with several data sets.
    """

    phases: str | None = None
    pore_label: int | None = None
    unlabelled: tuple[int, ...] | None = None
    usual: LabelValues | None = None
    needed: bool = True
    own_first: bool = False

    @classmethod
    def of(
        cls,
        phases: str | None = None,
        pore_label: int | str | None = None,
        unlabelled: int | str | None = None,
        **others: object,
    ) -> LabelChoice:
        """From options as a user gives them.

        Raises:
            UserError: One of them is written otherwise, or both `phases` and `pore_label` are given.
        """
        label = parse_pore_label(pore_label)
        if phases is not None and label is not None:
            raise UserError(
                f"--phases {phases} and --pore_label {label}: give one of them; --pore_label K is --phases pore=K"
            )
        values = None if unlabelled is None else parse_unlabelled(unlabelled)
        return cls(phases, label, values, **others)  # type: ignore[arg-type]

    def among(self, counts: Counts, root: Path, remembered: int | None = None) -> tuple[LabelValues, tuple[str, ...]]:
        """The meaning of a data set's label values, and notes on it.

        Args:
            counts: Of all label files; not empty.
            root: The data set's folder, which may have a `phases.csv`.
            remembered: The value of pore that `split.csv` remembers, where there is no `phases.csv`.

        Raises:
            UserError: It can't be known, contradicts itself, or names a value that does not occur.
        """
        file = root / PHASES_FILE
        kept = read_phases_csv(file) if file.is_file() else LabelValues((), ())
        keeps = bool(kept.phases) or (remembered is not None and not file.is_file())
        phases, pore_label = (None, None) if self.own_first and keeps else (self.phases, self.pore_label)
        given = None if phases is None else parse_phases(phases)
        unlabelled = self._unlabelled(given, kept)
        labelled = {path: _without(of_file, unlabelled) for path, of_file in counts.items()}
        if not any(labelled.values()):
            raise UserError(f"{root}: no label has a labelled pixel; label some, or correct --unlabelled")
        if given is not None:
            _refuse_absent(f"{root}: --phases {phases}", given, labelled)
            found = _with_prompts(given, kept.phases)
        elif pore_label is None and kept.phases:
            found = kept
        else:
            found = self._pores(labelled, root, remembered if pore_label is None else pore_label)
        both = sorted({value for values in found.values for value in values} & set(unlabelled))
        if both:
            raise UserError(
                f"{root}: the label value {both[0]} is both a phase and unlabelled; give --unlabelled another value, "
                f"or correct {PHASES_FILE}"
            )
        rest = dict.fromkeys((*found.rest, *kept.rest, *((0,) if self.unlabelled == () else ())))
        taken = {value for values in (*found.values, unlabelled) for value in values}
        found = replace(found, unlabelled=unlabelled, rest=tuple(value for value in rest if value not in taken))
        return found, _notes(found, labelled)

    def _unlabelled(self, given: LabelValues | None, kept: LabelValues) -> tuple[int, ...]:
        """Values of the option and of `--phases`; those of `phases.csv` where neither says otherwise."""
        own = self.unlabelled
        if own is None:
            said = given.named if given else {self.pore_label}
            own = tuple(value for value in kept.unlabelled if value not in said)
        return tuple(dict.fromkeys((*(given.unlabelled if given else ()), *own)))

    def _pores(self, counts: Counts, root: Path, value: int | None) -> LabelValues:
        """One phase, pore, or what a model was trained with."""
        total: Counter[int] = Counter()
        for of_file in counts.values():
            total.update(of_file)
        usual = self.usual
        if value is None and usual is not None and len(usual.phases) > 1:
            if all(any(v in total for v in values) for values in usual.values):
                return usual
            usual = None
        try:
            chosen = choose_pore_label(counts, value, root, usual.pore_label if usual else None)
        except UserError:
            if self.needed or value is not None:
                raise
            return LabelValues((), ())
        return LabelValues.of_pore(chosen)


def _without(counts: Mapping[int, int], unlabelled: Sequence[int]) -> dict[int, int]:
    return {value: pixels for value, pixels in counts.items() if value not in unlabelled}


def _with_prompts(given: LabelValues, known: Sequence[Phase]) -> LabelValues:
    """The phases of an option, which has no prompts, with those of `phases.csv`."""
    prompts = {phase.name: phase.prompt for phase in known}
    return replace(given, phases=tuple(Phase.of(phase.name, prompts.get(phase.name)) for phase in given.phases))


def _refuse_absent(said: str, given: LabelValues, counts: Counts) -> None:
    total, example = example_values(counts)
    for name, values in zip(given.names, given.values, strict=True):
        absent = [value for value in values if value not in total]
        if absent:
            raise UserError(f"{said}: the value {absent[0]} of {name} does not occur; the labels hold {example}")


def _notes(found: LabelValues, counts: Counts) -> tuple[str, ...]:
    """On phases that no label holds, and on values that nothing was said of; none where pore is the only phase."""
    if found.pores_only or not found.phases:
        return ()
    total: Counter[int] = Counter()
    for of_file in counts.values():
        total.update(of_file)
    pixels = sum(total.values())
    absent = [name for name, values in zip(found.names, found.values, strict=True) if not any(map(total.get, values))]
    notes = [f"no label holds the phase {name}" for name in absent]
    others = {value: count for value, count in sorted(total.items()) if value and value not in found.named}
    if others:
        shown = ", ".join(f"{value} ({100 * count / pixels:.3g} % of pixels)" for value, count in others.items())
        notes.append(
            f"label values that are none of the phases: {shown}; if nothing is known about such pixels, say so with "
            "--unlabelled"
        )
    return tuple(notes)
