"""The data of a training that is repeated: where they are, in which splits, and that they are the same.

MLflow keeps the list of files of a training with their splits. From it the split is written again, so that neither the
data set's own `split.csv` nor the experiment's folder is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.bundle_files import text_in_config, text_of_config
from pipeline.data import index_datasets
from pipeline.data.fingerprints import changes
from pipeline.data.merging import titles_of
from pipeline.data.pairs import pair_files
from pipeline.data.split_file import split_row, told_in, write_split_csv
from pipeline.data.splits import SPLIT_FILE, SplitRow
from pipeline.errors import UserError
from pipeline.experiments.finished_training import FinishedTraining
from pipeline.label_values import NONE_UNLABELLED
from pipeline.phases import LabelValues

_REMEDY = "restore the data, or give their folders as --dataset_dir"
_MEANING = ("pore_label", "phases", "unlabelled")


@dataclass(frozen=True)
class RepeatedData:
    """The data sets of a training, checked to be those that it had.

    Attributes:
        folders: of the data sets, in the order of the training.
        splits: of each, the rows of its `split.csv` and what else stands in it.
        meaning: the options that said what label values mean.
    """

    folders: tuple[str, ...]
    splits: tuple[tuple[list[SplitRow], dict[str, str]], ...]
    meaning: Mapping[str, Any]

    @classmethod
    def of(cls, first: FinishedTraining, folders: Sequence[str] | None = None) -> RepeatedData:
        """Find the data of a training.

        Args:
            first: the training.
            folders: where they are now; None for where they were.

        Raises:
            UserError: they are not there, or not the same; the first file that differs is named.
        """
        wanted = len(first.data.get("values") or [None])
        given = [*(folders or first.folders)]
        if len(given) != wanted:
            raise UserError(
                f"--dataset_dir {' '.join(given)}: {first.name} was trained on {wanted} data set(s); give as many "
                "folders, in the same order"
            )
        if gone := [folder for folder in given if not Path(folder).expanduser().is_dir()]:
            raise UserError(
                f"{', '.join(gone)}: no such folder; {first.name} was trained on data there: give where "
                f"{'they are' if len(given) > 1 else 'it is'} now as --dataset_dir"
            )
        rows = _rows_of_each(first, given)
        splits = [
            (of_set, told_in(Path(folder) / SPLIT_FILE, {row.name for row in of_set}))
            for folder, of_set in zip(given, rows, strict=True)
        ]
        found = cls(tuple(given), tuple(splits), _meaning(first))
        found._check(first)
        return found

    def write_splits(self, folder: Path) -> list[Path]:
        """Write `split.csv`, or of several data sets `split_1.csv` and so on, into a folder."""
        names = ["split.csv"] if len(self.splits) == 1 else [f"split_{n}.csv" for n in range(1, len(self.splits) + 1)]
        paths = [folder / name for name in names]
        for path, (rows, told) in zip(paths, self.splits, strict=True):
            write_split_csv(path, rows, told)
        return paths

    def options(self, splits: Sequence[Path]) -> dict[str, Any]:
        """The options of `train` and `evaluate` for these data, with their splits in these files."""
        folders = [text_in_config(folder) for folder in self.folders]
        files = [text_in_config(str(path)) for path in splits]
        if len(folders) == 1:
            return {"dataset_dir": folders[0], "split_csv": files[0], **self.meaning}
        return {"dataset_dir": folders, "split_csv": files, **self.meaning}

    def _check(self, first: FinishedTraining) -> None:
        others = _are_not(self.folders, first)
        # trainings of versions without this option left info bars in the images
        bar = first.config.get("info_bar", "keep")
        with TemporaryDirectory() as scratch:
            try:
                splits = self.write_splits(Path(scratch))
                index = index_datasets(self.folders, split_csv=splits, info_bar=bar, **self.meaning)
            except UserError as error:
                reason = str(error).replace(f"{scratch}/", "the run's ")
                raise UserError(f"{others}: {_REMEDY}\n{reason}") from error
        if which := changes(first.data, index.fingerprint(), first.asked_sentences):
            raise UserError(f"{others} ({which}): {_REMEDY}")


def _are_not(folders: Sequence[str], first: FinishedTraining) -> str:
    what = "is not the data set" if len(folders) == 1 else "are not the data sets"
    return f"{', '.join(folders)} {what} that {first.name} was trained on"


def _rows_of_each(first: FinishedTraining, folders: Sequence[str]) -> list[list[SplitRow]]:
    """The rows of each data set's `split.csv`; where several data sets had an image of one name, or a source, the
    training put the data set's name in front of it.

    Raises:
        UserError: an image of the training that no folder has.
    """
    rows = [split_row(file) for file in first.data["files"]]
    if len(folders) == 1:
        return [rows]
    titles = titles_of([Path(folder).absolute() for folder in folders])
    names = [pair_files(Path(folder)).names for folder in folders]
    found: list[list[SplitRow]] = [[] for _ in folders]
    for row in rows:
        for title, there, of_set in zip(titles, names, found, strict=True):
            own = next((name for name in (row.name, row.name.removeprefix(f"{title}_")) if name in there), None)
            if own is not None:
                of_set.append(row._replace(name=own))
                break
        else:
            raise UserError(
                f"{_are_not(folders, first)}, which had an image {row.name}: {_REMEDY}, with the names that they had"
            )
    return found


def _meaning(first: FinishedTraining) -> dict[str, Any]:
    """The options that say what label values meant in a training."""
    kept = first.data.get("values")
    if kept is None:
        return {"pore_label": first.data["pore_label"], "phases": None, "unlabelled": None}
    if len(kept) > 1:  # for those that remember nothing; the others have their phases.csv
        reading = {**first.config.get("data", {}), **first.config}
        return {name: text_of_config(reading.get(name)) for name in _MEANING}
    values = LabelValues.from_dict(kept[0])
    unlabelled = ",".join(map(str, values.unlabelled)) or NONE_UNLABELLED
    return {"pore_label": None, "phases": str(replace(values, unlabelled=())), "unlabelled": unlabelled}
