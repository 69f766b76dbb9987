"""The table on disk, as CSV and as Parquet, written a group of rows at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.pores.columns import ROW_TYPE, scaled_columns, table_columns

#: rows of a group: fixed, so that the bytes don't depend on how the rows came
_GROUP = 1 << 16


class PoreTableWriter:
    """Numbers the pores and writes them to both files; a context manager.

    Args:
        csv: path of the CSV.
        parquet: path of the Parquet file, whose schema holds units and definitions of the columns.
        pixel_size_nm: nm, if known; then there are columns in micrometres.
        settings: kept in the Parquet file's metadata, as JSON under `vlsenet`.
    """

    def __init__(self, csv: Path, parquet: Path, pixel_size_nm: float | None, settings: Mapping[str, Any]) -> None:
        self._pixel_size_nm = pixel_size_nm
        self._pending: list[np.ndarray] = []
        self._written = 0
        columns = table_columns(pixel_size_nm is not None)
        fields = []
        for column in columns:
            meaning = {"unit": column.unit, "definition": column.definition}
            fields.append(pa.field(column.name, pa.type_for_alias(column.kind), metadata=meaning))
        self._schema = pa.schema(fields, {"vlsenet": json.dumps(dict(settings), sort_keys=True)})
        self._file = csv.open("wb")
        self._file.write((",".join(column.name for column in columns) + "\n").encode())
        options = pyarrow.csv.WriteOptions(include_header=False)
        self._csv = pyarrow.csv.CSVWriter(self._file, self._schema, write_options=options)
        self._parquet = pq.ParquetWriter(parquet, self._schema, compression="zstd")

    def __enter__(self) -> PoreTableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._write(self._joined())
        finally:
            self._csv.close()
            self._file.close()
            self._parquet.close()

    def add(self, rows: np.ndarray) -> None:
        """Take rows of `ROW_TYPE`, in the order of the table."""
        self._pending.append(rows)
        if sum(len(part) for part in self._pending) >= _GROUP:
            rows = self._joined()
            whole = len(rows) // _GROUP * _GROUP
            for first in range(0, whole, _GROUP):
                self._write(rows[first : first + _GROUP])
            self._pending = [rows[whole:].copy()]

    def _joined(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, ROW_TYPE), *self._pending])

    def _write(self, rows: np.ndarray) -> None:
        values = {name: rows[name] for name in ROW_TYPE.names or ()}
        values["pore"] = np.arange(self._written + 1, self._written + 1 + len(rows))
        if self._pixel_size_nm is not None:
            values.update(scaled_columns(rows, self._pixel_size_nm))
        arrays = [
            # what is not defined (NaN) is empty
            pa.array(np.ascontiguousarray(values[field.name]), field.type, from_pandas=True)
            for field in self._schema
        ]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        self._csv.write_table(table)
        self._parquet.write_table(table, row_group_size=_GROUP)
        self._written += len(rows)
