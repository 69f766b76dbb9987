"""Stacks of slices (FIB-SEM): one source after the other, each opened when its turn comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pipeline.data.images import stem_of
from pipeline.scan.sources.nifti import NiftiVolume
from pipeline.scan.sources.opening import kind_of_scan, open_scan, slices_in
from pipeline.scan.sources.source import ScanSource
from pipeline.scan.sources.tiff import count_images
from pipeline.scan.sources.zarr_image import ZarrImage, ZarrSource


class ScanStack:
    """Slices in their order; each is opened by asking for it, and closed by who asked.

    Args:
        path: what the user gave.
        names: of the slices, for output.
        opens: opens each slice.
    """

    def __init__(self, path: str, names: list[str], opens: list[Callable[[], ScanSource]]) -> None:
        self.path, self.names, self._opens = path, names, opens

    def __len__(self) -> int:
        return len(self._opens)

    def __getitem__(self, index: int) -> ScanSource:
        return self._opens[index]()

    def __iter__(self) -> Iterator[ScanSource]:
        return (opens() for opens in self._opens)


def open_stack(path: str | os.PathLike[str], *, spill_dir: str | os.PathLike[str] | None = None) -> ScanStack:
    """Open a folder of images, a NIfTI volume, a TIFF of several pages or a Zarr of several planes.

    Anything else is a stack of one slice. Slices need not be of one size.

    Args:
        path: a folder, a file, or a URL that fsspec knows.
        spill_dir: as for `open_scan`.

    Raises:
        UserError: as `open_scan`.
    """
    name = os.fspath(path)
    spill = None if spill_dir is None else Path(spill_dir)
    kind = kind_of_scan(name)
    if kind == "folder":
        files = slices_in(Path(name))
        return ScanStack(
            name, [stem_of(file) for file in files], [partial(open_scan, file, spill_dir=spill) for file in files]
        )
    stem = stem_of(name.rstrip("/").rpartition("/")[2])
    if kind == "nifti":
        volume = NiftiVolume(Path(name), name=name, spill_dir=spill)
        count = volume.slices
        opens: list[Callable[[], ScanSource]] = [partial(volume.source, index, page=index) for index in range(count)]
    elif kind == "zarr":
        image = ZarrImage(name)
        count = image.planes
        opens = [partial(ZarrSource, image, index) for index in range(count)]
    else:
        count = count_images(Path(name), name) if kind == "tiff" else 1
        opens = [partial(open_scan, name, spill_dir=spill, page=index) for index in range(count)]
    if count == 1:
        return ScanStack(name, [stem], [partial(open_scan, name, spill_dir=spill)])
    digits = len(str(count - 1))
    return ScanStack(name, [f"{stem}-{index:0{digits}d}" for index in range(count)], opens)
