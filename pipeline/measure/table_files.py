"""Tables in two files, CSV and Parquet, with their columns defined; and rows in order that don't fit into memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.files import atomic_path, write_error


class Column(NamedTuple):
    """A column of a table; `kind` is the type of its values, by Arrow's name."""

    name: str
    kind: str
    unit: str
    definition: str


#: of the box around an object in a slice, or in all slices together
BOX_CORNER = (
    Column("bbox_x_px", "int64", "px", "first column, in the scan"),
    Column("bbox_y_px", "int64", "px", "first row, in the scan"),
)
BOX_SIZE = (
    Column("bbox_width_px", "int64", "px", "number of columns"),
    Column("bbox_height_px", "int64", "px", "number of rows"),
)


#: rows of a group in the Parquet file: fixed, so that the bytes don't depend on how the rows came
GROUP = 1 << 16


@contextmanager
def open_table(
    csv: Path, parquet: Path, columns: Sequence[Column], settings: Mapping[str, Any]
) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    """Write the same rows to a CSV and a Parquet file, which appear when they are complete.

    Args:
        csv: path of the CSV.
        parquet: path of the Parquet file, whose schema holds units and definitions of the columns.
        columns: of the table.
        settings: kept in the Parquet file's metadata, as JSON under `vlsenet`.

    Yields:
        A function that writes rows, `GROUP` at most, given the values (N,) of each column by its name; NaN, which means
        not defined, becomes empty.

    Raises:
        UserError: the disk is full or refuses.
    """
    fields = [
        pa.field(one.name, pa.type_for_alias(one.kind), metadata={"unit": one.unit, "definition": one.definition})
        for one in columns
    ]
    schema = pa.schema(fields, {"vlsenet": json.dumps(dict(settings), sort_keys=True)})
    options = pyarrow.csv.WriteOptions(include_header=False)  # its own header would have quotes
    try:
        with atomic_path(csv) as csv_path, atomic_path(parquet) as parquet_path, csv_path.open("wb") as file:
            file.write((",".join(schema.names) + "\n").encode())
            with (
                pyarrow.csv.CSVWriter(file, schema, write_options=options) as csv_writer,
                # not by its path, which Arrow takes for an address where there is a colon in it
                parquet_path.open("wb") as parquet_file,
                pq.ParquetWriter(parquet_file, schema, compression="zstd") as parquet_writer,
            ):

                def write(values: Mapping[str, np.ndarray]) -> None:
                    arrays = [
                        pa.array(np.ascontiguousarray(values[field.name]), field.type, from_pandas=True)
                        for field in schema
                    ]
                    table = pa.Table.from_arrays(arrays, schema=schema)
                    csv_writer.write_table(table)
                    parquet_writer.write_table(table, row_group_size=GROUP)

                yield write
    except OSError as error:
        raise write_error(parquet, error) from error


def read_table(parquet: Path) -> pd.DataFrame:
    """The rows of a Parquet file, whatever its name: given a path, Arrow takes a colon for an address."""
    with parquet.open("rb") as file:
        return pd.read_parquet(file)


def in_groups(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The same rows in batches of `GROUP`, of which the last may be smaller, or empty where there are no others."""
    pending: list[np.ndarray] = []
    for batch in batches:
        pending.append(batch)
        while sum(map(len, pending)) >= GROUP:
            rows = np.concatenate(pending)
            yield rows[:GROUP]
            pending = [rows[GROUP:].copy()]
    if any(map(len, pending)):
        yield np.concatenate(pending)


#: fewest rows that are read at once from one file
_LEAST = 256


class SortedRows:
    """Collects the rows of a slice as its pores end, and gives them back in the order in which the pores begin.

    A pore that spans the slice begins first and ends last: until then the place of no row is known. Rows that don't
    fit into memory go sorted to files, which are merged at the end.

    Args:
        folder: for the files.
        row_type: of the rows; they are sorted by its field `first`.
        in_memory: rows in memory at most, about.
    """

    def __init__(self, folder: Path, row_type: np.dtype, in_memory: int) -> None:
        self._folder = folder
        self._row_type = row_type
        self._in_memory = in_memory
        self._rows: list[np.ndarray] = []
        self._held = 0
        self._files: list[Path] = []

    def add(self, rows: np.ndarray) -> None:
        """Take rows (N,), in any order."""
        self._rows.append(rows)
        self._held += len(rows)
        if self._held > self._in_memory:
            path = self._folder / f"{len(self._files)}.rows"
            self._drain().tofile(path)
            self._files.append(path)

    def batches(self) -> Iterator[np.ndarray]:
        """All rows, sorted; call it once, at the end. The files are removed."""
        pending = [self._drain(), *(np.zeros(0, self._row_type) for _ in self._files)]
        files: list[Path | None] = [None, *self._files]
        offsets = [0] * len(files)
        at_once = max(_LEAST, self._in_memory // len(files))
        while True:
            for i, path in enumerate(files):
                if path is not None and not len(pending[i]):
                    pending[i] = np.fromfile(path, self._row_type, at_once, offset=offsets[i])
                    offsets[i] += pending[i].nbytes
                    if len(pending[i]) < at_once:
                        path.unlink()
                        files[i] = None
            if not any(len(rows) for rows in pending):
                return
            # beyond the last row that a file has shown, it may hold rows that come earlier than others'
            shown = [rows["first"][-1] for rows, path in zip(pending, files, strict=True) if path is not None]
            limit = min(shown, default=np.iinfo(np.int64).max)
            counts = [int(np.searchsorted(rows["first"], limit, "right")) for rows in pending]
            ready = np.concatenate([rows[:count] for rows, count in zip(pending, counts, strict=True)])
            pending = [rows[count:] for rows, count in zip(pending, counts, strict=True)]
            yield ready[np.argsort(ready["first"])]

    def _drain(self) -> np.ndarray:
        rows = np.concatenate([np.zeros(0, self._row_type), *self._rows])
        self._rows, self._held = [], 0
        return rows[np.argsort(rows["first"])]
