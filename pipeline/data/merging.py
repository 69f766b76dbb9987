"""Several data sets as one: their names told apart, their phases united."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.data.index import index_dataset
from pipeline.data.samples import DatasetIndex, Sample
from pipeline.errors import UserError
from pipeline.phases import MOST_PHASES
from pipeline.wording import some_of


def index_datasets(
    folders: Sequence[str | Path], *, split_csv: str | Path | Sequence[str | Path] | None = None, **reading: Any
) -> DatasetIndex:
    """Check one or several data sets and list their samples with sources and splits.

    What several data sets remember of their labels (`phases.csv`, or the value of pore in `split.csv`) decides before
    the options, which are for those that remember nothing.

    Args:
        folders: Of the data sets; a phase that one of them does not name is not known in its images.
        split_csv: A file to read in place of the folder's `split.csv`; of several data sets, one for each.
        reading: As for `index_dataset`.

    Raises:
        UserError: As there; or a folder is given twice, or phases of two sets differ in upper and lower case only.
    """
    splits = [None] * len(folders) if split_csv is None else _listed(split_csv)
    if len(splits) != len(folders):
        raise UserError(
            f"--split_csv {', '.join(map(str, splits))}: {len(splits)} for {len(folders)} data sets; give one for "
            "each, in their order, or none"
        )
    if len(folders) == 1:
        return index_dataset(folders[0], split_csv=splits[0], **reading)
    real = [os.path.realpath(Path(folder).expanduser()) for folder in folders]
    twice = [str(folder) for folder, path in zip(folders, real, strict=True) if real.count(path) > 1]
    if twice:
        raise UserError(f"--dataset_dir: {twice[0]} is given twice; give each data set once")
    return merged(
        [
            index_dataset(folder, split_csv=split, **reading, own_first=True)
            for folder, split in zip(folders, splits, strict=True)
        ]
    )


def _listed(paths: str | Path | Sequence[str | Path]) -> list[str | Path | None]:
    return [paths] if isinstance(paths, (str, Path)) else [*paths]


def merged(indices: Sequence[DatasetIndex]) -> DatasetIndex:
    """Several data sets as one; names of images and sources that several have get the data set's name in front.

    Raises:
        UserError: Phases of two sets differ in upper and lower case only, or there are too many.
    """
    roots = [index.roots[0] for index in indices]
    titles = titles_of(roots)
    names = Counter(sample.name for index in indices for sample in index.samples)
    of_source = Counter(source for index in indices for source in {sample.source for sample in index.samples})

    def own(sample: Sample, title: str) -> Sample:
        name = f"{title}_{sample.name}" if names[sample.name] > 1 else sample.name
        source = f"{title}_{sample.source}" if of_source[sample.source] > 1 else sample.source
        return replace(sample, name=name, source=source, dataset=title)

    of_sets = list(zip(titles, indices, strict=True))
    samples = tuple(own(sample, title) for title, index in of_sets for sample in index.samples)
    united = DatasetIndex(
        tuple(roots),
        samples,
        tuple(index.values[0] for index in indices),
        (*(f"{title}: {note}" for title, index in of_sets for note in index.notes), *_shared_images(samples)),
        tuple(problem for index in indices for problem in index.skipped),
    )
    _check_phases(united)
    again = [name for name, count in Counter(sample.name for sample in samples).items() if count > 1]
    if again:
        raise UserError(f"{united.place}: two images would be called {again[0]}; rename one of them")
    return united


def _shared_images(samples: Sequence[Sample]) -> list[str]:
    """A line on images that are in two data sets; in two splits, they are found as leaks."""
    first: dict[str, Sample] = {}
    shared = [
        f"{other.name} = {sample.name}"
        for sample in samples
        if (other := first.setdefault(sample.image_sha256, sample)).dataset != sample.dataset
    ]
    return [f"{len(shared)} image(s) are in two data sets, so they count twice: {some_of(shared)}"] if shared else []


def titles_of(roots: Sequence[Path]) -> list[str]:
    """What tells data sets apart: the folders' names, with those of the folders above where these alone don't."""
    for depth in range(1, max(len(root.parts) for root in roots)):
        titles = ["_".join(root.parts[-depth:]) for root in roots]
        if len(set(titles)) == len(titles):
            return titles
    return [str(number) for number in range(1, len(roots) + 1)]


def _check_phases(index: DatasetIndex) -> None:
    written: dict[str, str] = {}
    for phase in index.phases:
        other = written.setdefault(phase.name.casefold(), phase.name)
        if other != phase.name:
            raise UserError(
                f"{index.place}: the phases {other!r} and {phase.name!r} differ in upper and lower case only; write "
                "them alike"
            )
    if len(index.phases) > MOST_PHASES:
        raise UserError(f"{index.place}: {len(index.phases)} phases, and {MOST_PHASES} are possible")
