"""`split.csv`: which image is of which micrograph, and in which part of a data set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.csv_tables import write_csv_rows
from pipeline.data.index import index_dataset, index_with_new_split
from pipeline.data.phases_file import PHASES_FILE, write_phases_csv
from pipeline.data.samples import DatasetIndex
from pipeline.data.splits import COLUMNS, INFO_BAR, PART, PORE_LABEL, SPLIT_FILE, SplitRow, read_split_csv
from pipeline.errors import UserError


def make_split_file(
    folder: str,
    *,
    val: float = 0.2,
    test: float = 0.0,
    seed: int = 0,
    overwrite: bool = False,
    **reading: Any,
) -> tuple[DatasetIndex, list[Path]]:
    """Check a data set, divide it by micrograph with equal areas of phases in each part, and write `split.csv`.

    `phases.csv` is written as well where `phases` or `unlabelled` was given, so that no other command needs them.

    Args:
        folder: with images/ and labels/.
        val: share of the pixels for validation.
        test: share of the pixels for a test.
        seed: another seed gives another split.
        overwrite: replace files that are there.
        reading: `pore_label`, `phases`, `unlabelled`, `group_pattern`, `skip_bad` and `info_bar`, as for
            `index_dataset`.

    Returns:
        The data set as divided, and the files that were written.

    Raises:
        UserError: a file is there or can't be written, shares that are none, or a data set that can't be used.
    """
    if val <= 0 or test < 0 or val + test >= 1:
        raise UserError(
            f"--val {val} --test {test}: give shares of the pixels; --val must be above 0, --test at least 0, "
            "and their sum below 1"
        )
    path, phases = Path(folder) / SPLIT_FILE, Path(folder) / PHASES_FILE
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already; --overwrite replaces it, --check looks for leaks in it")
    given = [name for name in (PORE_LABEL, "phases", "unlabelled") if reading.get(name) is not None]
    if phases.exists() and given and not overwrite:
        raise UserError(f"{phases} exists already; leave out --{given[0]}, or --overwrite replaces the file")
    fractions = {"train": 1 - val - test, "val": val, "test": test}
    index = index_with_new_split(folder, fractions, seed=seed, **reading)
    # the value of pore alone stands in split.csv, as in versions without phases
    named = given and (phases.exists() or given != [PORE_LABEL])
    told = {name: str(reading[name]) for name in (PORE_LABEL, INFO_BAR) if reading.get(name) is not None}
    if named:
        told.pop(PORE_LABEL, None)
    written = [path, phases] if named else [path]
    try:
        write_split_csv(path, (sample.split_row for sample in index.samples), told)
        if named:
            write_phases_csv(phases, index.values[0])
    except OSError as error:
        names = " and ".join(map(str, written))
        raise UserError(f"{names}: can't be written ({error.strerror}); check the folder's permissions") from error
    return index, written


def read_divided(folder: str, **reading: Any) -> DatasetIndex:
    """The data set as the `split.csv` that is there divides it, with or without knowing what pore is.

    Args:
        folder: with images/ and labels/.
        reading: as for `make_split_file`.

    Raises:
        UserError: there is no `split.csv`, or the data set can't be used.
    """
    path = Path(folder) / SPLIT_FILE
    if not path.exists():
        raise UserError(f"{path}: no such file to check; run without --check to write one")
    return index_dataset(folder, pores=False, **reading)


def told_in(path: Path, names: Collection[str]) -> dict[str, str]:
    """What a `split.csv` says on how its data set is read, for another split of the same; nothing where it is missing.

    Args:
        path: the file.
        names: of the data set's images.
    """
    if not path.is_file():
        return {}
    table = read_split_csv(path, names)
    told = {PORE_LABEL: table.pore_label, INFO_BAR: None if table.info_bar == "auto" else table.info_bar}
    return {name: str(value) for name, value in told.items() if value is not None}


def split_row(file: Mapping[str, Any]) -> SplitRow:
    """The row of `split.csv` that gives an image, or a part of one, the place that a fingerprint says."""
    part = ",".join(map(str, file.get("part", ())))
    stem = file["name"].removesuffix(f"_{file['split']}") if part else file["name"]
    return SplitRow(stem, file["source"], file["split"], part)


def write_split_csv(
    path: Path, rows: Iterable[tuple[str, str, str] | SplitRow], told: Mapping[str, str] | None = None
) -> None:
    """Write name, source and split of each image, as `index_dataset` reads them.

    Args:
        path: the file.
        rows: name, source and split, and the part of an image that is cut.
        told: how the data set is to be read (`pore_label`, `info_bar`), which trainings then need not be told again.
    """
    told, full = told or {}, [SplitRow(*row) for row in rows]
    columns = len(COLUMNS) + any(row.part for row in full)
    head = [*(*COLUMNS, PART)[:columns], *told]
    write_csv_rows(path, [head, *([*row[:columns], *told.values()] for row in full)])
