"""TIFF, BigTIFF and OME-TIFF: which of its images is meant, and how its pixels are stored."""

from __future__ import annotations

import math
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from pipeline.errors import FileProblem
from pipeline.images.failures import COPY_AGAIN, truncated
from pipeline.images.grey import Encoding
from pipeline.images.image_file import ImageFile, no_volume
from pipeline.images.source import ImageSource, file_fingerprint, oriented
from pipeline.images.storage import BlockSource, RawSource
from pipeline.images.tiff_structure import Page, TiffImage, TiffImages, images_of, look_into, page_of
from pipeline.images.whole import unless_one_large_block
from pipeline.wording import some_of


def part_of_set(found: TiffImages) -> str | None:
    """What a file of a set holds of it, where its OME-XML lists images that are in other files."""
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
_JPEG, _FAX = (6, 7), (2, 3, 4)  # values of the tag Compression


class TiffFile(ImageFile):
    """The 2-D images of a TIFF, BigTIFF or OME-TIFF, thumbnails and the smaller levels of pyramids not counted.

    Of a set of files (OME), it holds its own images only.
    """

    def _look(self) -> None:
        found, tiff = look_into(self.path)
        self._looked_into = [] if tiff is None else [tiff]  # the first image takes it on
        self.count, self.set_part, self.no_volume = len(found.images), part_of_set(found), why_no_volume(found)
        self.holds = self.set_part or f"{self.count} images"
        if tiff is not None and self.count > 1:  # it may be that none is opened
            self._looked_into.pop().close()

    def image(self, index: int, page: int | None) -> ImageSource:
        """One image, from 0.

        Raises:
            FileProblem: it is damaged, truncated, gone, not grey or RGB, or missing in the file.
        """
        found = images_of(self.path)
        image = found.images[index]
        if image.page_at is None:
            raise FileProblem(self.name, _missing(found, index), "choose another with --page, or export it again")
        tiff = self._looked_into.pop() if self._looked_into else tifffile.TiffFile(self.path)
        with ExitStack() as unless_opened:
            unless_opened.enter_context(tiff)
            where, key = page_of(tiff, image)
            source = oriented(self._opened(tiff, image, where, key, page), _tag(key, 274))
            unless_opened.pop_all()  # the source closes it
        return source

    def _odd_values(self, key: tifffile.TiffPage) -> tuple[str, ...]:
        """A doubt where numbers don't stand for what viewers show."""
        photometric = _tag(key, 262)
        if photometric == 3 and key.colormap is None:
            return ("its pixels are indices into a palette, which is missing; they are read as they are stored",)
        if self.stored and photometric == 0 and key.bitspersample > 1:
            return ("it is 'white is zero': its values are taken as stored, the larger of which viewers show darker",)
        return ()

    def _opened(
        self, tiff: tifffile.TiffFile, image: TiffImage, where: Page, key: tifffile.TiffPage, page: int | None
    ) -> ImageSource:
        samples, depth, height, width, contiguous = key.shaped
        if depth != 1:
            what = f"its pages are volumes of {depth} slices"
            raise FileProblem(self.name, what, "save the slices one file each")
        if key.dtype is None:
            what = f"pixels of {key.bitspersample} bits of sample format {int(key.sampleformat)} are not supported"
            raise FileProblem(self.name, what, "save it as 8 or 16 bit grey")
        dtype = key.dtype.newbyteorder(tiff.byteorder)
        offsets, counts = list(where.dataoffsets), list(where.databytecounts)
        options: dict[str, Any] = {
            "page": page,
            "encoding": _encoding(key, self.name),
            "stored": self.stored,
            "doubts": (*self._odd_values(key), *(_missing_parts(key, counts) if image.data_at is None else ())),
        }
        planar = samples > 1
        shape: tuple[int, ...] = (height, width) if samples == contiguous == 1 else (height, width, contiguous)
        if planar:
            shape = (samples, height, width)

        if key.compression not in tifffile.TIFF.DECOMPRESSORS:
            known_as = getattr(key.compression, "name", key.compression)
            what = f"its compression ({known_as}) is not known to the installed tifffile"
            raise FileProblem(self.name, what, "save it uncompressed or with LZW, or install a newer tifffile")
        if image.data_at is not None:
            tiff.close()
            return RawSource(self.name, self.path, shape, dtype, offset=image.data_at, planar=planar, **options)
        needed = height * samples * -(-width * contiguous * key.bitspersample // 8)
        if key.compression == 1 and not key.is_tiled and len(offsets) == 1 and counts == [0]:
            counts = [needed]  # some writers leave it open, and one strip can have but one size
        _check_segments(self.name, offsets, counts, needed if key.compression == 1 else 0)
        if key.is_memmappable and where.is_contiguous:
            tiff.close()
            return RawSource(self.name, self.path, shape, dtype, offset=offsets[0], planar=planar, **options)
        source = SegmentedTiff(tiff, key, (offsets, counts), self.name, shape, planar=planar, **options)
        block_bytes = math.prod(source.block) * dtype.itemsize * samples * contiguous
        return unless_one_large_block(source, block_bytes, self.spill_dir)


def _encoding(key: tifffile.TiffPage, name: str) -> Encoding:
    """What the numbers of a page stand for.

    A palette has 16 bits for each colour. Some programs write 8: as in libtiff, it is so where no value is larger.
    """
    photometric = _tag(key, 262)
    if photometric is None:  # as libtiff has it
        photometric = 2 if key.samplesperpixel > 2 else 0 if key.compression in _FAX else 1
    jpeg = key.compression in _JPEG
    if photometric > 3 and not (photometric == 6 and jpeg):
        what = f"its colour space ({tifffile.PHOTOMETRIC(photometric).name}) is not grey, RGB or palette"
        raise FileProblem(name, what, "save it as grey")
    if photometric == 3 and key.colormap is not None:
        table = np.asarray(key.colormap).T
        return Encoding(palette=(table >> 8 if table.max(initial=0) > 255 else table).astype(np.uint8))
    whole = key.dtype is None or key.bitspersample == 8 * key.dtype.itemsize
    return Encoding(white_is_zero=photometric == 0, bits=None if whole else key.bitspersample, jpeg=jpeg)


def _tag(key: tifffile.TiffPage, code: int) -> int | None:
    tag = key.tags.get(code)
    return None if tag is None else int(tag.value)


def _missing_parts(key: tifffile.TiffPage, counts: list[int]) -> tuple[str, ...]:
    """A doubt where tiles or strips were left out, as some programs do with those of a single value."""
    missing = counts.count(0)
    if not missing or missing == len(counts):
        return ()
    parts = "tiles" if key.is_tiled else "strips"
    return (f"{missing} of its {len(counts)} {parts} are not stored; their pixels are read as {key.nodata:g}",)


def _check_segments(name: str, offsets: list[int], counts: list[int], needed: int) -> None:
    """Refuse what would make pixels out of something else; segments that were left out have no size.

    Args:
        name: the path as the user gave it.
        offsets: of the tiles or strips (bytes).
        counts: their sizes (bytes).
        needed: the size of all pixels, where they are not compressed; else 0.

    Raises:
        FileProblem: the header contradicts itself.
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
        raise FileProblem(name, f"its size and data do not match ({what})", COPY_AGAIN)


class SegmentedTiff(BlockSource):
    """An image in tiles or strips, compressed or not; it owns the open file.

    tifffile decodes the segments; which ones, and in which order, is decided here. Its Zarr store would do the same
    with a third layer in between, needs another Zarr on Python 3.10 than on later ones, and reports a damaged tile
    without its place.

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
        if key.compression in _JPEG:
            self._options = {"jpegtables": key.jpegtables, "jpegheader": key.jpegheader}
        needed = self._across * self._down * self._planes
        if min(len(self._offsets), len(self._counts)) < needed:
            what = f"only {len(self._offsets)} of {needed} tiles or strips exist"
            raise FileProblem(self.name, f"its size and data do not match ({what})", COPY_AGAIN)
        end = max((o + n for o, n in zip(self._offsets, self._counts, strict=False)), default=0)
        if end > tiff.filehandle.size:
            raise truncated(self.name, end - tiff.filehandle.size)

    def _block(self, row: int, column: int) -> np.ndarray:
        index = row * self._across + column
        planes = [self._segment(index + plane * self._across * self._down) for plane in range(self._planes)]
        pixels = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)
        return self._values(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)

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
