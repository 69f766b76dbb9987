"""Files that can only be decoded as a whole: done once, and kept on disk where it is large."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.errors import FileProblem
from pipeline.files import atomic_path
from pipeline.images.formats import open_with_pillow
from pipeline.images.grey import PLAIN, Encoding, channels_differ, grey_of
from pipeline.images.image_file import ImageFile
from pipeline.images.source import ImageSource, file_fingerprint, oriented
from pipeline.images.storage import BlockSource, RawSource

log = logging.getLogger("vlsenet")

#: decoded pixels that are held in memory; more goes to a file in `spill_dir` (bytes)
MOST_IN_MEMORY = 256 << 20
#: an image that is one block of more than this is not decoded again for each window (bytes)
LARGEST_SINGLE_BLOCK = 32 << 20
#: what is not worth a line in the log (bytes)
_LITTLE = 64 << 20

_ORIENTATION = 274  # the tag, in TIFF and EXIF
_BAND = 1 << 22  # pixels that are turned to grey at a time


class PictureFile(ImageFile):
    """A PNG, JPEG or BMP, which is decoded when its image is opened.

    Pillow's limit of 179 megapixels is not asked: it guards servers against what strangers send them, and here the
    file is the user's own.
    """

    def _look(self) -> None:
        """All is decoded at once, by `image`."""

    def image(self, index: int, page: int | None) -> ImageSource:
        """Decode the image: its grey values, or what is stored."""
        with self.path.open("rb") as stream:
            header = stream.read(26)
            stream.seek(0)
            with closing(open_with_pillow(stream, self.kind)) as image:
                source = self._decoded(image, header)
                # a PNG may have it behind its pixels, which were not decoded where an earlier run has kept them
                has_exif = self.kind == "jpeg" or "exif" in image.info
                return oriented(source, image.getexif().get(_ORIENTATION) if has_exif else None)

    def _decoded(self, image: Image.Image, header: bytes) -> ImageSource:
        height, width, channels = image.height, image.width, len(image.getbands())
        # Pillow holds colour in 4 bytes for each pixel
        pixel_bytes = 4 if channels > 1 or image.mode == "I" else 2 if image.mode.startswith("I;16") else 1
        bits, colour = header[24:26] if self.kind == "png" else (8, 0)
        encoding, coloured = _encoding(image, bits if colour == 0 else 8, self.kind), False

        def bands() -> Iterator[np.ndarray]:
            nonlocal coloured
            deep = None
            if bits == 16 and colour in (2, 4, 6):  # colour, or grey with alpha, which Pillow cuts to 8 bits unasked
                import imagecodecs

                deep = np.asarray(imagecodecs.png_decode(self.path.read_bytes()))
            rows = max(1, _BAND // width)
            for top in range(0, height, rows):
                bottom = min(height, top + rows)
                band = _stored(image.crop((0, top, width, bottom)), encoding) if deep is None else deep[top:bottom]
                if not self.stored:
                    coloured = coloured or channels_differ(band, encoding.palette)
                    band = grey_of(band, encoding, self.name)
                yield band

        spill_dir = None if self.stored else self.spill_dir
        source = decoded_once(
            self.name, (height, width), bands, height * width * pixel_bytes,
            None if spill_dir is None else file_fingerprint(self.path), spill_dir, channels=channels,
            stored=self.stored, encoding=encoding if self.stored else PLAIN,
        )  # fmt: skip
        source.coloured = coloured
        return source


def _encoding(image: Image.Image, bits: int, kind: str) -> Encoding:
    """What the pixels of an image stand for; `bits` are a grey PNG's."""
    if image.mode == "P":
        return Encoding(palette=np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3))
    return Encoding(bits=1 if image.mode == "1" else bits if bits in (2, 4) else None, jpeg=kind == "jpeg")


def _stored(image: Image.Image, encoding: Encoding) -> np.ndarray:
    """The numbers that a file stores, of an image that was opened by `open_with_pillow`, or of a crop of it."""
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if image.mode == "I":  # how older Pillow reads 16-bit grey
        return pixels.astype(np.uint16)
    if encoding.bits in (2, 4):  # Pillow has spread them over 0 to 255
        return pixels // np.uint8(255 // (2**encoding.bits - 1))
    return pixels


def unless_one_large_block(source: BlockSource, block_bytes: int, spill_dir: Path | None) -> ImageSource:
    """The source itself; or, where the whole image is one large block, what it holds, decoded once.

    Args:
        source: closed where it is not returned.
        block_bytes: what decoding a block takes.
        spill_dir: where a large scan goes.
    """
    whole = source.block[0] >= source.shape[0] and source.block[1] >= source.shape[1]
    if not whole or block_bytes <= LARGEST_SINGLE_BLOCK or source.stored:
        return source
    with source:
        whole_source = decoded_once(
            source.path,
            source.shape,
            lambda: iter([source.read(0, 0, *source.shape)]),
            block_bytes,
            source.fingerprint(),
            spill_dir,
            channels=source.channels,
            page=source.page,
        )
        whole_source.coloured = source.coloured
        return whole_source


def decoded_once(
    name: str,
    shape: tuple[int, int],
    bands: Callable[[], Iterator[np.ndarray]],
    decoding_bytes: int,
    fingerprint: dict[str, Any] | None,
    spill_dir: Path | None,
    *,
    channels: int,
    **options: Any,
) -> RawSource:
    """A source of the values that decoding gives, in memory or in a file of `spill_dir`.

    Args:
        name: the path as the user gave it.
        shape: height and width (px).
        bands: decodes; gives bands of rows (rows, W), or (rows, W, C) of what is stored, from top to bottom.
        decoding_bytes: what that takes.
        fingerprint: the file's, or None to take it when it is asked for. A file in `spill_dir` that was made of the
            same image is used again.
        spill_dir: a folder that the caller removes when it is done with the scan.
        channels: as stored.
        options: as for `ImageSource`.
    """
    storage: Path | np.ndarray
    key = hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:16]
    file = None if spill_dir is None else spill_dir / f"decoded-{key}.npy"
    if file is not None and file.exists():
        storage = file
    else:
        if decoding_bytes > _LITTLE:
            log.info("%s must be decoded as a whole, which takes %.1f GB of memory", name, decoding_bytes / 1e9)
        parts = bands()
        first = next(parts)
        if math.prod(shape) * first.itemsize <= MOST_IN_MEMORY or file is None:
            storage = np.empty((*shape, *first.shape[2:]), first.dtype)
            top = 0
            for band in chain([first], parts):
                storage[top : top + len(band)] = band
                top += len(band)
        else:
            log.info("%s: decoded pixels are kept in %s", name, file)
            storage = file
            _spill(file, shape, first, parts)
    values = np.load(storage, mmap_mode="r") if isinstance(storage, Path) else storage
    source = RawSource(
        name, storage, values.shape, values.dtype, offset=getattr(values, "offset", 0), decoded_whole=True,
        stored_fingerprint=fingerprint, **options,
    )  # fmt: skip
    source.channels = channels
    return source


def _spill(file: Path, shape: tuple[int, int], first: np.ndarray, rest: Iterator[np.ndarray]) -> None:
    # written, not mapped: a full disk is an error for the one and a dead process for the other
    try:
        with atomic_path(file) as temporary, temporary.open("wb") as stream:
            header = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(stream, header)
            for band in chain([first], rest):
                stream.write(np.ascontiguousarray(band).data)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            what = f"can't write decoded pixels here ({error.strerror})"
            raise FileProblem(file, what, "free some space or choose another folder") from error
        raise
