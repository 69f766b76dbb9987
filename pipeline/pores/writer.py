"""The rows of the table of pores, numbered and written to its files a group at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from pipeline.pores.columns import ROW_TYPE, scaled_columns, table_columns
from pipeline.pores.table_files import GROUP, TableFiles


class PoreTableWriter:
    """Numbers the pores and writes them to both files; a context manager.

    Args:
        csv: path of the CSV.
        parquet: path of the Parquet file.
        pixel_size_nm: nm, if known; then there are columns in micrometres.
        settings: kept in the Parquet file's metadata.
    """

    def __init__(self, csv: Path, parquet: Path, pixel_size_nm: float | None, settings: Mapping[str, Any]) -> None:
        self._pixel_size_nm = pixel_size_nm
        self._pending: list[np.ndarray] = []
        self._written = 0
        self._files = TableFiles(csv, parquet, table_columns(pixel_size_nm is not None), settings)

    def __enter__(self) -> PoreTableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._files:
            if kind is None:
                self._write(self._joined())

    def add(self, rows: np.ndarray) -> None:
        """Take rows of `ROW_TYPE`, in the order of the table."""
        self._pending.append(rows)
        if sum(len(part) for part in self._pending) >= GROUP:
            rows = self._joined()
            whole = len(rows) // GROUP * GROUP
            for first in range(0, whole, GROUP):
                self._write(rows[first : first + GROUP])
            self._pending = [rows[whole:].copy()]

    def _joined(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, ROW_TYPE), *self._pending])

    def _write(self, rows: np.ndarray) -> None:
        values = {name: rows[name] for name in ROW_TYPE.names or ()}
        values["pore"] = np.arange(self._written + 1, self._written + 1 + len(rows))
        if self._pixel_size_nm is not None:
            values.update(scaled_columns(rows, self._pixel_size_nm))
        self._files.write(values)
        self._written += len(rows)
