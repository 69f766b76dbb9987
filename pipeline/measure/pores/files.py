"""One table in two files, CSV and Parquet, and its rows in order, also where they don't fit into memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.measure.pores.columns import ROW_TYPE, Column

#: rows of a group: fixed, so that the bytes don't depend on how the rows came
GROUP = 1 << 16


class TableFiles:
    """Writes the same rows to a CSV and a Parquet file; a context manager.

    Args:
        csv: path of the CSV.
        parquet: path of the Parquet file, whose schema holds units and definitions of the columns.
        columns: of the table.
        settings: kept in the Parquet file's metadata, as JSON under `vlsenet`.
    """

    def __init__(self, csv: Path, parquet: Path, columns: Sequence[Column], settings: Mapping[str, Any]) -> None:
        fields = [
            pa.field(
                column.name,
                pa.type_for_alias(column.kind),
                metadata={"unit": column.unit, "definition": column.definition},
            )
            for column in columns
        ]
        self._schema = pa.schema(fields, {"vlsenet": json.dumps(dict(settings), sort_keys=True)})
        self._open = ExitStack()
        with ExitStack() as opened:
            file = opened.enter_context(csv.open("wb"))
            file.write((",".join(self._schema.names) + "\n").encode())
            options = pyarrow.csv.WriteOptions(include_header=False)  # its own header would have quotes
            self._csv = opened.enter_context(pyarrow.csv.CSVWriter(file, self._schema, write_options=options))
            self._parquet = opened.enter_context(pq.ParquetWriter(parquet, self._schema, compression="zstd"))
            self._open = opened.pop_all()

    def __enter__(self) -> TableFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        """Write rows, `GROUP` at most.

        Args:
            values: those of each column (rows,), by name; NaN, which is not defined, becomes empty.
        """
        arrays = [
            pa.array(np.ascontiguousarray(values[field.name]), field.type, from_pandas=True) for field in self._schema
        ]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        self._csv.write_table(table)
        self._parquet.write_table(table, row_group_size=GROUP)


#: rows of the least that is read at once from one file
_LEAST = 256


class SortedRows:
    """Collects the rows of a slice as its pores end, and gives them back as the pores begin.

    A pore that spans the slice begins first and ends last: until then no row has its place. Rows that don't fit into
    memory go sorted to files, which are merged at the end.

    Args:
        folder: for the files.
        in_memory: rows in memory at most, about.
    """

    def __init__(self, folder: Path, in_memory: int) -> None:
        self._folder = folder
        self._in_memory = in_memory
        self._rows: list[np.ndarray] = []
        self._held = 0
        self._files: list[Path] = []

    def add(self, rows: np.ndarray) -> None:
        """Take rows of `ROW_TYPE`, in any order."""
        self._rows.append(rows)
        self._held += len(rows)
        if self._held > self._in_memory:
            path = self._folder / f"{len(self._files)}.rows"
            self._drain().tofile(path)
            self._files.append(path)

    def batches(self) -> Iterator[np.ndarray]:
        """All rows, sorted; to be called once, at the end. The files are removed."""
        pending = [self._drain(), *(np.zeros(0, ROW_TYPE) for _ in self._files)]
        files: list[Path | None] = [None, *self._files]
        offsets = [0] * len(files)
        at_once = max(_LEAST, self._in_memory // len(files))
        while True:
            for i, path in enumerate(files):
                if path is not None and not len(pending[i]):
                    pending[i] = np.fromfile(path, ROW_TYPE, at_once, offset=offsets[i])
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
        rows = np.concatenate([np.zeros(0, ROW_TYPE), *self._rows])
        self._rows, self._held = [], 0
        return rows[np.argsort(rows["first"])]
