"""Files that hold to which pore each run of each slice belongs, while the pores are not yet known as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class OwnerFiles:
    """Written slice by slice, resolved from the last slice to the first, read slice by slice.

    A run is known by the number of its pore among those that are open after its slice, and what becomes of an open
    pore is known a slice later. From the last slice backwards, each number is followed to its label with one slice in
    memory.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._slices = 0

    def add(self, owner: np.ndarray, fate: np.ndarray) -> None:
        """Take the next slice.

        Args:
            owner: open pore of each of its runs.
            fate: of each pore that was open before it: its number after it, or -1 - its place among all that ended.
        """
        np.save(self._owner(self._slices), owner.astype(np.int32))
        if self._slices:
            np.save(self._fate(self._slices - 1), fate.astype(np.int64))
        self._slices += 1

    def finish(self, label: np.ndarray, ended: int) -> None:
        """Follow every number to its label.

        Args:
            label: of all pores, in the order in which they ended (int32); those that reach the last slice come last.
            ended: how many pores ended before the last slice did.
        """
        later = label[ended:]
        for slice_ in reversed(range(self._slices)):
            if slice_ < self._slices - 1:
                fate = np.load(self._fate(slice_))
                ends = fate < 0
                now = np.empty(len(fate), np.int32)
                now[ends] = label[-1 - fate[ends]]
                now[~ends] = later[fate[~ends]]
                later = now
            np.save(self._fate(slice_), later)

    def labels(self, slice_: int) -> np.ndarray:
        """Label of each run of a slice, in scan order (int32); to be called after `finish`."""
        return np.load(self._fate(slice_))[np.load(self._owner(slice_))]

    def _owner(self, slice_: int) -> Path:
        return self._folder / f"{slice_}.owner.npy"

    def _fate(self, slice_: int) -> Path:
        return self._folder / f"{slice_}.fate.npy"
