"""Stacks of slices (FIB-SEM): one source after the other, each opened when its turn comes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.images.mrc import count_slices
from pipeline.images.nifti import NiftiVolume
from pipeline.images.opening import kind_of_scan, open_image, slices_in, tell_left_out
from pipeline.images.source import ImageSource, file_fingerprint
from pipeline.images.tiff import part_of_set, tiff_images, why_no_volume
from pipeline.images.zarr_image import ZarrImage, ZarrSource

logger = logging.getLogger("vlsenet")


class ScanStack:
    """Slices in their order; each is opened by asking for it, and closed by who asked.

    Args:
        path: what the user gave.
        opens: opens each slice.
        files: one for each slice, where they are files of their own.
        no_volume: why these are not the slices of one volume, and what to do. The first may be looked at all the
            same, as `vlsenet info` does; what is asked of the whole, or of another slice, is a `UserError`.
    """

    def __init__(
        self,
        path: str,
        opens: Sequence[Callable[[], ImageSource]],
        files: Sequence[Path] = (),
        *,
        no_volume: str | None = None,
    ) -> None:
        self.path, self._opens, self._files, self.no_volume = path, opens, files, no_volume

    def __len__(self) -> int:
        return len(self._opens)

    def __getitem__(self, index: int) -> ImageSource:
        opens = self._opens[index]
        if index:
            self._check_volume()
        return opens()

    def fingerprint(self) -> dict[str, Any]:
        """What tells this stack from another or a changed one, for JSON; files of slices are not decoded for it."""
        self._check_volume()
        if not self._files:
            with self[0] as first:
                return {**first.fingerprint(), "slices": len(self)}
        files = [file_fingerprint(file) for file in self._files]
        digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
        return {"name": Path(self.path).name, "slices": len(self), "sha256_of_fingerprints": digest}

    def _check_volume(self) -> None:
        if self.no_volume is not None:
            raise UserError(f"{self.path}: {self.no_volume}")


def open_stack(path: str | os.PathLike[str], *, spill_dir: str | os.PathLike[str] | None = None) -> ScanStack:
    """Open a folder of images, a NIfTI volume, a TIFF of several pages or a Zarr of several planes.

    Anything else is a stack of one slice. Slices need not be of one size. Of a set of files (OME-TIFF), a file holds
    its own slices; a warning tells where others are in other files.

    Args:
        path: a folder, a file, or a URL that fsspec knows.
        spill_dir: as for `open_image`.

    Raises:
        UserError: as `open_image`.
    """
    name = os.fspath(path)
    spill = None if spill_dir is None else Path(spill_dir)
    kind = kind_of_scan(name)
    if kind == "folder":
        files = slices_in(Path(name))
        tell_left_out(Path(name), set(files))
        opened = [partial(open_image, file, spill_dir=spill) for file in files]
        return ScanStack(name, opened, files)
    no_volume = None
    if kind == "nifti":
        volume = NiftiVolume(Path(name), name=name, spill_dir=spill)
        count, no_volume = volume.slices, volume.no_volume
        opens: list[Callable[[], ImageSource]] = [partial(volume.source, index, page=index) for index in range(count)]
    elif kind == "zarr":
        image = ZarrImage(name)
        count, no_volume = image.planes, image.no_volume
        opens = [partial(ZarrSource, image, index) for index in range(count)]
    else:
        count = 1
        if kind == "tiff":
            found = tiff_images(Path(name), name)
            count, no_volume = len(found.images), why_no_volume(found)
            if part := part_of_set(found):
                logger.warning("%s: it holds %s, and the others are left out; give a folder of all", name, part)
        elif kind == "mrc":
            count = count_slices(Path(name), name)
        opens = [partial(open_image, name, spill_dir=spill, page=index) for index in range(count)]
    if count == 1:
        return ScanStack(name, [partial(open_image, name, spill_dir=spill)])
    return ScanStack(name, opens, no_volume=no_volume)
