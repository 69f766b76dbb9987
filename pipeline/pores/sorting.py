"""Rows in the order of their pores' first pixels, also when they are more than fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.pores.columns import ROW_TYPE

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
