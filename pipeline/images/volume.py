"""What is segmented: one scan, or the slices of a stack (FIB-SEM), of one size and type of pixels."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.images.folders import doubts_of_names, slices_in, warn_of_others
from pipeline.images.formats import kind_of
from pipeline.images.grey import COLOUR_ADVICE, few_levels
from pipeline.images.microscope import Acquisition
from pipeline.images.microscope.findings import same
from pipeline.images.opening import open_file, open_image
from pipeline.images.rectangles import Rows, Window, sample_windows
from pipeline.images.source import ImageSource, WatchedSource, file_fingerprint, imaged, inverted
from pipeline.images.storage import RawSource

log = logging.getLogger("vlsenet")

#: slices that stay open; chunks are read slice by slice, two batches ahead
_OPEN = 4
#: side of the window that is looked at for colour and grey levels (px)
_LOOK = 512
#: pixels that are looked at, over all of a scan, where its middle has the grey levels of a mask
_MOST_PIXELS = 1 << 22


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
        """What identifies this stack, and changes with it, for JSON; files of slices are not decoded for it."""
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
    """Open a folder of images, or a file or Zarr of one or several, as slices.

    Slices need not be of one size. Of a set of files (OME-TIFF), a file holds its own slices; a warning names the
    others.

    Args:
        path: a folder, a file, or an address that fsspec knows.
        spill_dir: as for `open_image`.

    Raises:
        FileProblem: as `open_image`.
    """
    name = os.fspath(path)
    if kind_of(name) == "folder" and (files := slices_in(Path(name))):
        warn_of_others(Path(name), set(files))
        for doubt in doubts_of_names([file.name for file in files]):
            log.warning("%s: %s", name, doubt)
        return ScanStack(name, [partial(open_image, file, spill_dir=spill_dir) for file in files], files)
    file = open_file(name, spill_dir=spill_dir)
    if file.set_part is not None:
        log.warning("%s: it holds %s, and the others are left out; give a folder of all", name, file.set_part)
    if file.count == 1:
        return ScanStack(name, [file.open])
    return ScanStack(name, [partial(file.open, index) for index in range(file.count)], no_volume=file.no_volume)


class ScanVolume:
    """Slices of one size and type of pixels, opened when they are read; a 2-D scan is a volume of one slice.

    Reading is safe from several threads at once.

    Args:
        stack: the slices.
        info_bar: what to do with the microscope's info bar: `keep`, `auto` (find it) or its height below the image
            (px).
        invert: whether pores are bright: the slices are given with dark and bright exchanged.
        before_reading: is called before each reading of a slice, and may raise to end what reads; None: nothing is.

    Attributes:
        path: as the user gave it.
        depth: number of slices.
        shape: height and width of each (px), the info bar included.
        rows: rows that are imaged; those above and below are an info bar, and are not read.
        acquisition: how the first slice was taken, as far as its file says.
        description: one line for the log.

    Raises:
        UserError: the first slice can't be read, or the info bar's height leaves nothing of it.
    """

    def __init__(
        self,
        stack: ScanStack,
        info_bar: str | int = "keep",
        invert: bool = False,
        before_reading: Callable[[], None] | None = None,
    ) -> None:
        self._stack, self._invert, self._before_reading = stack, invert, before_reading
        self._lock = threading.Lock()
        self._scale_doubted = False
        self._open: dict[int, ImageSource] = {}
        self._users: dict[int, int] = {}
        self.path, self.depth = stack.path, len(stack)
        with self._stack[0] as first:
            self.shape, self._dtype = first.shape, first.dtype
            self.rows = first.imaged_rows(info_bar)
            self.description = first.describe()
            self.acquisition = _with_doubts(first, self.rows)
        if bars := bars_in_words(self.rows, self.shape[0]):
            self.description += f"; info bar of {bars} cut off"
        if self.depth > 1:
            self.description += f"; {self.depth} slices"

    @contextmanager
    def slice(self, index: int, *, as_stored: bool = False) -> Iterator[ImageSource]:
        """Give a slice; it stays open for the next one who asks, as long as there are few others.

        Args:
            index: of the slice, from 0.
            as_stored: for a picture: with the rows of the info bar, and not inverted.

        Raises:
            UserError: it can't be read, or has another size or type of pixels than the first.
        """
        with self._lock:  # opening may decode a whole image: once, not once for every thread
            if index not in self._open:
                self._open[index] = self._opened(index)
            source = self._open[index] = self._open.pop(index)  # the last used is the last
            self._users[index] = self._users.get(index, 0) + 1
        try:
            yield source if as_stored else self._imaged(source)
        finally:
            with self._lock:
                self._users[index] -= 1
                for other in [i for i in self._open if not self._users[i]][: max(0, len(self._open) - _OPEN)]:
                    self._open.pop(other).close()

    def read(self, index: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Grey values (height, width) of a window of a slice; see `ImageSource.read`."""
        with self.slice(index) as source:
            return source.read(top, left, height, width)

    def fingerprint(self) -> dict[str, Any]:
        """What identifies this scan, and changes with it, for JSON."""
        if self.depth == 1:
            with self.slice(0, as_stored=True) as source:
                return source.fingerprint()
        return self._stack.fingerprint()

    def close(self) -> None:
        """Close all slices; reading is over."""
        with self._lock:
            for source in self._open.values():
                source.close()
            self._open.clear()

    def __enter__(self) -> ScanVolume:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which opens the slices itself."""
        return {**vars(self), "_lock": None, "_open": {}, "_users": {}, "_before_reading": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def _imaged(self, source: ImageSource) -> ImageSource:
        if self._before_reading is not None:
            source = WatchedSource(source, self._before_reading)
        source = imaged(source, self.rows)
        return inverted(source) if self._invert else source

    def _opened(self, index: int) -> ImageSource:
        source = self._stack[index]
        if source.shape != self.shape:
            name, size = source.name, source.size
            source.close()
            raise UserError(
                f"{name}: it has {size}, but the first slice has {self.shape[1]} x {self.shape[0]}; all slices of a "
                "stack must have the same size"
            )
        if source.dtype != self._dtype:  # all are normalised alike
            name, dtype = source.name, source.dtype
            source.close()
            raise UserError(
                f"{name}: its pixel type is {dtype}, but that of the first slice is {self._dtype}; save all slices "
                "of a stack with the same bit depth and grey scale"
            )
        self._warn_of_another_scale(source)
        return source

    def _warn_of_another_scale(self, source: ImageSource) -> None:
        """Once: what is measured has one scale."""
        first = self.acquisition.pixel_size_nm
        if self._scale_doubted or first is None or source.pixel_size_nm is None:
            return
        if not all(same(a, b) for a, b in zip(first, source.pixel_size_nm, strict=True)):
            self._scale_doubted = True
            log.warning(
                "%s: its pixels are %.5g nm wide, but those of the first slice %.5g nm; the latter is used for all",
                source.name,
                source.pixel_size_nm[1],
                first[1],
            )


def _with_doubts(source: ImageSource, rows: Rows) -> Acquisition:
    """How a slice was taken, with a warning where it is in colour, or looks like a mask."""
    doubts = [doubt for doubt in (_colour_doubt(source, rows), _mask_doubt(source, rows)) if doubt]
    if not doubts:
        return source.acquisition
    return replace(source.acquisition, warnings=(*source.acquisition.warnings, *doubts))


def _colour_doubt(source: ImageSource, rows: Rows) -> str | None:
    """Of a slice whose middle, or all of it where it was decoded whole, is in colour."""
    if source.channels < 3 and source.encoding.palette is None:
        return None
    with suppress(UserError):  # raised again where it is needed; a --roi may leave it out
        source.read(*_middle(source, rows))
    return f"its colour channels differ; {COLOUR_ADVICE}" if source.coloured else None


def _mask_doubt(source: ImageSource, rows: Rows) -> str | None:
    """Of a slice that has several grey levels, but no more than a mask.

    A micrograph shows more in its middle, or at the latest where the rock is: all else is looked at only then.
    """
    levels, source = np.zeros(0), imaged(source, rows)
    try:
        for window in chain([_middle(source, rows)], sample_windows(source.shape, source.block, _MOST_PIXELS)):
            found = few_levels(source.read(*window))
            together = None if found is None else few_levels(np.concatenate([levels, found]))
            if together is None:
                return None
            levels = together
    except UserError:
        return None
    return f"it has only {len(levels)} grey levels: is this a mask? Give the micrograph" if len(levels) > 1 else None


def bars_in_words(rows: Rows, height: int) -> str:
    """How many rows of an image of this height are info bar, and where; empty where none are."""
    bars = [f"{rows.first} rows on top" if rows.first else "", f"{height - rows.stop} rows" * (rows.stop < height)]
    return " and ".join(filter(None, bars))


def _middle(source: ImageSource, rows: Rows) -> Window:
    """A window in the middle of what is imaged."""
    high, wide = min(rows.number, _LOOK), min(source.shape[1], _LOOK)
    return Window(rows.first + (rows.number - high) // 2, (source.shape[1] - wide) // 2, high, wide)


def open_volume(
    path: str,
    *,
    stack: bool = False,
    page: int | None = None,
    info_bar: str | int = "keep",
    invert: bool = False,
    spill_dir: str | os.PathLike[str] | None = None,
    before_reading: Callable[[], None] | None = None,
) -> ScanVolume:
    """Open a scan, or with `stack` all slices of a stack.

    Args:
        path: as for `open_image` or `open_stack`.
        stack: whether a folder, or a file of several images, is one volume.
        page: which image of a file of several, without `stack`.
        info_bar: as for `ScanVolume`.
        invert: as for `ScanVolume`.
        spill_dir: as for `open_image`.
        before_reading: as for `ScanVolume`.

    Raises:
        UserError: as `open_image` and `ScanVolume`; both `stack` and `page` are given; or a stack has one slice.
    """
    if stack and page is not None:
        raise UserError(f"{path}: --stack takes all images of a file, --page {page} only one: give one of the two")
    if stack:
        slices = open_stack(path, spill_dir=spill_dir)
        if len(slices) == 1:
            what = "this folder" if kind_of(path) == "folder" else "it"
            raise UserError(
                f"{path}: {what} holds one image, and a stack has two or more slices; leave out --stack, or give all"
            )
        return ScanVolume(slices, info_bar, invert, before_reading)
    opened = partial(open_image, path, spill_dir=spill_dir, page=page)
    return ScanVolume(ScanStack(path, [opened]), info_bar, invert, before_reading)


def volume_of_array(pixels: np.ndarray, name: str, info_bar: str | int = "keep", invert: bool = False) -> ScanVolume:
    """An image in memory (H, W), or the slices of a stack (D, H, W), as a volume.

    Args:
        pixels: grey values.
        name: for messages.
        info_bar: as for `ScanVolume`.
        invert: as for `ScanVolume`.

    Raises:
        UserError: it has no pixels, or a type of pixels that is not known.
    """
    slices = [np.ascontiguousarray(one) for one in (pixels if pixels.ndim == 3 else pixels[None])]
    identity = {"name": name, "bytes": int(pixels.nbytes), "modified": None, "sha256_of_samples": ""}
    opens = [partial(RawSource, name, one, one.shape, one.dtype, stored_fingerprint=identity) for one in slices]
    return ScanVolume(ScanStack(name, opens), info_bar, invert)
