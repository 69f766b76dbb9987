"""TIFF, BigTIFF and OME-TIFF: which of its images is meant, and how its pixels are stored."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from pipeline.errors import UserError
from pipeline.images.microscope import Acquisition, read_acquisition
from pipeline.images.source import COPY_AGAIN, ImageSource, file_fingerprint, unreadable
from pipeline.images.storage import BlockSource, RawSource
from pipeline.images.tiff_structure import TiffImage, TiffImages, images_of, page_of
from pipeline.images.whole import unless_one_large_block
from pipeline.wording import some_of

_NAMES = {"z": "slices", "i": "images", "q": "images", "c": "channels", "t": "times"}
_NOT_SPACE = {"c": "channel", "t": "time"}
_LETTERS = {"channel": "c", "channels": "c", "time": "t", "times": "t"}


def no_volume(axes: Iterable[tuple[str, int]], images: int) -> str | None:
    """Why the images of a file are not the slices of one volume, and what to do.

    Axes that nothing names, as the pages of a plain TIFF, are taken for slices.

    Args:
        axes: name (Z, C, T, channel, time ...) and length of each axis beside rows and columns.
        images: their number.

    Returns:
        None where they are, or are but one.
    """
    long = [(_LETTERS.get(name.lower(), name.lower()), length) for name, length in axes if length > 1]
    several = [_NOT_SPACE[letter] for letter, _ in long if letter in _NOT_SPACE]
    if not several:
        return None
    held = " x ".join(f"{length} {_NAMES.get(letter, 'images')}" for letter, length in long)
    one = f"choose one image with --page 0 to {images - 1}"
    if [letter for letter, _ in long] == ["t"]:
        remedy = "if they are slices, say so (Fiji: Image > Properties) and save it again, or "
    else:
        remedy = f"save one {' and '.join(several)} as a stack (Fiji: Image > Hyperstacks > Reduce Dimensionality), or "
    return f"it holds {held}, not the slices of one volume; {remedy}{one}"


def tiff_images(path: Path, name: str) -> TiffImages:
    """The 2-D images of a TIFF, thumbnails and pyramid levels not counted.

    Args:
        path: the file.
        name: the path as the user gave it.

    Raises:
        UserError: it is damaged, gone, or holds none.
    """
    try:
        return images_of(path)
    except UserError:
        raise
    except Exception as error:  # tifffile answers damaged tags with errors of every type
        raise unreadable(name, error) from error


def chosen_image(found: TiffImages, name: str, page: int | None) -> TiffImage:
    """The image that the user chose, or the only one.

    Args:
        found: what the file holds.
        name: the path as the user gave it.
        page: its number, from 0; None where none was given.

    Raises:
        UserError: there are several and `page` is None, or the one of this number is not in the file.
    """
    count, part = len(found.images), part_of_set(found)
    if page is None and count > 1:
        stack = "" if why_no_volume(found) else ", or give --stack"
        held = part or f"{count} images"
        raise UserError(f"{name}: it holds {held}, but one is needed; choose one with --page 0 to {count - 1}{stack}")
    if page is not None and not 0 <= page < count:
        what, other = ("", "") if part is None else (f" in this file, which holds {part}", ", or give another file")
        raise UserError(f"{name}: no page {page}{what}; choose from 0 to {count - 1}{other}")
    image = found.images[page or 0]
    if image.page_at is None:
        raise UserError(f"{name}: {_missing(found, page or 0)}; choose another with --page, or export it again")
    return image


def part_of_set(found: TiffImages) -> str | None:
    """What a file of a set holds of it, where its OME-XML tells of images that are in other files."""
    if not found.others:
        return None
    return f"{len(found.images)} of the {found.listed} images of a set of files (with {some_of(found.others, 3)})"


def why_no_volume(found: TiffImages) -> str | None:
    """Why the images of a file are not the slices of one volume, and what to do; None where they are."""
    arrays = [axes for axes in found.axes if any(length > 1 for _, length in axes)]
    for axes in arrays:
        if (why := no_volume(axes, len(found.images))) is not None:
            return why
    if arrays and len(found.axes) > 1 and found.ome is not None:
        what = f"it holds {len(found.axes)} images of OME, of which each may be a volume"
        return f"{what}; save one of them as a stack, or choose one slice with --page 0 to {len(found.images) - 1}"
    missing = [number for number, image in enumerate(found.images) if image.page_at is None]
    if missing:
        return f"{_missing(found, missing[0])}; export it again, or save the slices that are there one file each"
    return None


def _missing(found: TiffImages, number: int) -> str:
    there = sum(image.page_at is not None for image in found.images)
    place = found.images[number].place
    which = f"image {number}" + (f" ({place})" if place else "")
    return f"{which} is missing: its OME-XML lists {len(found.images)} images, but the file holds {there}"


_HEADER = 8  # bytes, in which no pixels can be


def open_tiff(path: Path, *, name: str, page: int | None, spill_dir: Path | None) -> ImageSource:
    """Open one image of a TIFF; of a pyramid, its largest level; of a file of a set (OME), one that it holds itself.

    Args:
        path: the file.
        name: the path as the user gave it.
        page: which of its images, from 0; None where there is but one.
        spill_dir: for a file that has to be decoded whole.

    Raises:
        UserError: it is damaged, truncated, gone, not grey or RGB, lacks the image, or holds several images and `page`
            names none.
    """
    image = chosen_image(tiff_images(path, name), name, page)
    tiff = None
    try:
        tiff = tifffile.TiffFile(path)
        acquisition = read_acquisition(path, image=page or 0)
        return _opened(tiff, image, path, name, page, spill_dir, acquisition)
    except Exception as error:  # tifffile answers damaged tags with errors of every type
        if tiff is not None:
            tiff.close()
        if isinstance(error, UserError):
            raise
        raise unreadable(name, error) from error


def _opened(
    tiff: tifffile.TiffFile,
    image: TiffImage,
    path: Path,
    name: str,
    page: int | None,
    spill_dir: Path | None,
    acquisition: Acquisition,
) -> ImageSource:
    stored, key = page_of(tiff, image)
    photometric = int(key.photometric)
    if photometric > 3 and not (photometric == 6 and key.compression in (6, 7)):
        what = f"its colour space ({tifffile.PHOTOMETRIC(photometric).name}) is not grey, RGB or palette"
        raise UserError(f"{name}: {what}; save it as grey")
    samples, depth, height, width, contiguous = key.shaped
    if depth != 1:
        raise UserError(f"{name}: its pages are volumes of {depth} slices; save the slices one file each")
    if key.bitspersample < 8:
        bits = "1 bit per pixel (black and white)" if key.bitspersample == 1 else f"{key.bitspersample} bits per pixel"
        raise UserError(f"{name}: it has {bits}, but grey values are needed; save the micrograph as 8 or 16 bit grey")
    options: dict[str, Any] = {
        "page": page,
        "palette": None,
        "white_is_zero": photometric == 0,
        "acquisition": acquisition,
    }
    if photometric == 3 and key.colormap is not None:
        options["palette"] = (np.asarray(key.colormap).T >> 8).astype(np.uint8)
    if key.dtype is None:
        raise UserError(f"{name}: pixels of {key.bitspersample} bits are not supported; save it as 8 or 16 bit grey")
    dtype = key.dtype.newbyteorder(tiff.byteorder)
    shape: tuple[int, ...] = (height, width) if samples == contiguous == 1 else (height, width, contiguous)
    planar = samples > 1
    if planar:
        shape = (samples, height, width)

    if image.data_at is not None:
        tiff.close()
        return RawSource(name, path, shape, dtype, offset=image.data_at, planar=planar, **options)
    offsets, counts = list(stored.dataoffsets), list(stored.databytecounts)
    needed = height * samples * -(-width * contiguous * key.bitspersample // 8)
    if key.compression == 1 and not key.is_tiled and len(offsets) == 1 and counts == [0]:
        counts = [needed]  # some writers leave it open, and one strip can have but one size
    _check_segments(name, offsets, counts, needed if key.compression == 1 else 0)
    if key.is_memmappable and stored.is_contiguous:
        tiff.close()
        return RawSource(name, path, shape, dtype, offset=offsets[0], planar=planar, **options)
    source = SegmentedTiff(tiff, key, (offsets, counts), name, shape, planar=planar, **options)
    return unless_one_large_block(source, math.prod(source.block) * dtype.itemsize * samples * contiguous, spill_dir)


def _check_segments(name: str, offsets: list[int], counts: list[int], needed: int) -> None:
    """Refuse what would make pixels out of something else; segments that were left out have no size.

    Args:
        name: the path as the user gave it.
        offsets: of the tiles or strips (bytes).
        counts: their sizes (bytes).
        needed: the size of all pixels, where they are not compressed; else 0.

    Raises:
        UserError: the header contradicts itself.
    """
    what = None
    if len(offsets) != len(counts):
        what = f"{len(offsets)} tiles or strips have an offset, but {len(counts)} have a size"
    elif any(at < _HEADER and size for at, size in zip(offsets, counts, strict=True)):
        what = "tiles or strips overlap the header"
    elif not any(counts):
        what = "it stores no pixels"
    elif all(counts) and sum(counts) < needed:
        what = f"its pixels take {needed} bytes, but its tiles or strips hold {sum(counts)}"
    if what is not None:
        raise UserError(f"{name}: its size and data do not match ({what}); {COPY_AGAIN}")


class SegmentedTiff(BlockSource):
    """An image in tiles or strips, compressed or not; it owns the open file.

    tifffile decodes the segments; which ones, and in which order, is decided here. Its Zarr store would do the same
    with a third layer in between, and needs another Zarr on Python 3.10 than on later ones.

    Args:
        tiff: the open file.
        key: the page that says how segments are encoded.
        segments: their offsets and sizes in the file (bytes).
        name: the path as the user gave it.
        shape: (H, W), (H, W, C), or (C, H, W) with `planar`.
        planar: whether each channel has segments of its own.
        options: as for `ImageSource`.
    """

    def __init__(
        self,
        tiff: tifffile.TiffFile,
        key: tifffile.TiffPage,
        segments: tuple[list[int], list[int]],
        name: str,
        shape: tuple[int, ...],
        *,
        planar: bool,
        **options: Any,
    ) -> None:
        height, width = shape[1:] if planar else shape[:2]
        block = (key.tilelength, key.tilewidth) if key.is_tiled else (min(key.rowsperstrip, height), width)
        self._planes = shape[0] if planar else 1
        channels = shape[0] if planar else shape[2] if len(shape) == 3 else 1
        super().__init__(name, (height, width), key.dtype, channels=channels, block=block, **options)
        self._across, self._down = -(-width // block[1]), -(-height // block[0])
        self._tiff, self._key, (self._offsets, self._counts) = tiff, key, segments
        self._file_lock = threading.Lock()
        self._options = {}
        if key.compression in (6, 7):
            self._options = {"jpegtables": key.jpegtables, "jpegheader": key.jpegheader}
        needed = self._across * self._down * self._planes
        if min(len(self._offsets), len(self._counts)) < needed:
            what = f"only {len(self._offsets)} of {needed} tiles or strips exist"
            raise UserError(f"{self.name}: its size and data do not match ({what}); {COPY_AGAIN}")
        end = max((o + n for o, n in zip(self._offsets, self._counts, strict=False)), default=0)
        if end > tiff.filehandle.size:
            raise UserError(
                f"{self.name}: it is truncated ({end - tiff.filehandle.size} of its bytes are missing); {COPY_AGAIN}"
            )

    def _block(self, row: int, column: int) -> np.ndarray:
        index = row * self._across + column
        planes = [self._segment(index + plane * self._across * self._down) for plane in range(self._planes)]
        pixels = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)
        return self._grey(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)

    def _segment(self, index: int) -> np.ndarray:
        """One segment as stored (h, w, C)."""
        data = None
        if self._counts[index]:
            with self._file_lock:
                self._tiff.filehandle.seek(self._offsets[index])
                data = self._tiff.filehandle.read(self._counts[index])
        pixels, _, shape = self._key.decode(data, index, **self._options)
        if pixels is None:  # a segment that was left out to save space
            return np.full(shape[1:], self._key.nodata, self._key.dtype)
        return pixels[0]

    def _stored(self) -> dict[str, Any]:
        return file_fingerprint(Path(self.path))

    def close(self) -> None:
        """Close the file."""
        super().close()
        with self._file_lock:
            self._tiff.close()
