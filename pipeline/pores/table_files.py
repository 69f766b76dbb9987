"""One table in two files, CSV and Parquet, written a group of rows at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.pores.columns import Column

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
