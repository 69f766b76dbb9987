"""Folds of a cross-validation, by source image: what a model is tested on has no part in how it was made.

A fold's sources are its test, not its validation: best epoch and threshold are chosen by the truth, and chosen on the
images that are scored they raise the scores of every variant, of a noisy one most. So a part of the other sources is
validation. With very few sources that leaves too little to train on; then `validation: 0` is the way, with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pipeline.data.samples import DatasetIndex
from pipeline.data.splits import SourceSize, stratified_split
from pipeline.errors import UserError
from pipeline.wording import some_of

#: share of the pixels outside of the tested sources on which a training chooses its best epoch and threshold
VALIDATION = 0.2


@dataclass(frozen=True)
class Fold:
    """One division of a data set.

    Attributes:
        name: of letters, digits and . _ -, for folders and tags.
        tested: the sources that the models of this fold are tested on.
        split_of: train, val or test, by source. Where ``validation`` was 0, the tested ones are val.
    """

    name: str
    tested: tuple[str, ...]
    split_of: dict[str, str]

    def divide(self, index: DatasetIndex) -> DatasetIndex:
        """The data set in this division."""
        samples = tuple(replace(sample, split=self.split_of[sample.source]) for sample in index.samples)
        return replace(index, samples=samples)


def k_folds(sources: Mapping[str, SourceSize], k: int, validation: float = VALIDATION, seed: int = 0) -> list[Fold]:
    """Divide sources into `k` folds of about equal pixels and porosity; each is tested on once.

    Args:
        sources: each source's size.
        k: number of folds, 2 or more.
        validation: share of the other pixels that chooses epoch and threshold; 0 for the tested sources themselves.
        seed: another one gives other folds of the same kind.

    Raises:
        UserError: too few sources.
    """
    if len(sources) < k:
        raise UserError(
            f"{k} folds need at least {k} sources, but there are {len(sources)}: {some_of(sorted(sources))}"
        )
    names = [str(number) for number in range(1, k + 1)]
    fold_of = stratified_split(sources, dict.fromkeys(names, 1.0), seed)
    return [
        _fold(name, [source for source in sources if fold_of[source] == name], sources, validation, seed)
        for name in names
    ]


def leave_out_folds(
    sources: Mapping[str, SourceSize], named: Collection[str] = (), validation: float = VALIDATION, seed: int = 0
) -> list[Fold]:
    """A fold for each source, which is tested on alone.

    Args:
        sources: each source's size.
        named: test on these only; empty for all.
        validation: as for :func:`k_folds`.
        seed: as for :func:`k_folds`.

    Raises:
        UserError: a name that is no source, or too few sources.
    """
    unknown = [name for name in named if name not in sources]
    if unknown:
        raise UserError(f"unknown source {', '.join(unknown)}; choose from {some_of(sorted(sources))}")
    chosen = list(named) or sorted(sources)
    folds = [_fold(re.sub(r"[^\w.-]", "_", name), [name], sources, validation, seed) for name in chosen]
    if len({fold.name for fold in folds}) < len(folds):  # names that differ in signs only
        folds = [replace(fold, name=f"{fold.name}_{number}") for number, fold in enumerate(folds, 1)]
    return folds


def source_sizes(index: DatasetIndex) -> dict[str, SourceSize]:
    """Labelled pixels of each source, and those of each phase, in order."""
    names = [phase.name for phase in index.phases]
    sizes: dict[str, SourceSize] = {}
    for sample in sorted(index.samples, key=lambda sample: sample.source):
        size = SourceSize(sample.labelled, tuple(sample.phase_pixels.get(name, 0) for name in names))
        sizes[sample.source] = sizes[sample.source] + size if sample.source in sizes else size
    return sizes


def _fold(name: str, tested: Collection[str], sources: Mapping[str, SourceSize], validation: float, seed: int) -> Fold:
    others = {source: size for source, size in sources.items() if source not in tested}
    if not validation:
        if not others:
            raise UserError(f"without {some_of(sorted(tested))} no source is left for training; add other sources")
        return Fold(name, tuple(tested), dict.fromkeys(tested, "val") | dict.fromkeys(others, "train"))
    if len(others) < 2:
        left = f"only {next(iter(others))} is" if others else "no source is"
        raise UserError(
            f"without {some_of(sorted(tested))} {left} left, but training and the choice of epoch and threshold need a "
            "source each: add images of other sources, or set `validation: 0` in `folds`, so that the tested images "
            "are used for the choice (which flatters all variants)"
        )
    divided = stratified_split(others, {"train": 1 - validation, "val": validation}, seed)
    return Fold(name, tuple(tested), dict.fromkeys(tested, "test") | divided)
