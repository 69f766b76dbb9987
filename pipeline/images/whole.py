"""Files that can only be decoded as a whole: done once, and kept on disk where it is large."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.images.decoders import Decoded, channels_differ, decode, decoded_with_pillow, is_deep_colour
from pipeline.images.files import grey_from, read_bytes
from pipeline.images.formats import open_with_pillow
from pipeline.images.microscope import read_acquisition
from pipeline.images.source import ImageSource, file_fingerprint, unreadable
from pipeline.images.storage import BlockSource, RawSource

log = logging.getLogger("vlsenet")

#: decoded pixels that are held in memory; more goes to a file in `spill_dir` (bytes)
MOST_IN_MEMORY = 256 << 20
#: an image that is one block of more than this is not decoded again for each window (bytes)
LARGEST_SINGLE_BLOCK = 32 << 20
#: what is not worth a word in the log (bytes)
_LITTLE = 64 << 20

_BAND = 1 << 22  # pixels that are turned to grey at a time


def open_whole(path: Path, kind: str, *, name: str, spill_dir: Path | None) -> ImageSource:
    """Decode a PNG, JPEG or BMP.

    Pillow's limit of 179 megapixels is not asked: it guards servers against what strangers send them, and here the
    file is the user's own.

    Args:
        path: the file.
        kind: png, jpeg or bmp.
        name: the path as the user gave it.
        spill_dir: where a large image goes, for this run and later ones; without it, it stays in memory.

    Raises:
        UserError: it is damaged, needs more memory than there is, or the disk is full.
    """
    try:
        with path.open("rb") as stream:
            header = stream.read(26)
            stream.seek(0)
            image = open_with_pillow(stream, kind)
            height, width, channels = image.height, image.width, len(image.getbands())
            # Pillow holds colour in 4 bytes for each pixel
            pixel_bytes = 4 if channels > 1 or image.mode == "I" else 2 if image.mode.startswith("I;16") else 1

            coloured = False

            def grey(decoded: Decoded) -> np.ndarray:
                nonlocal coloured
                coloured = coloured or channels_differ(decoded.pixels, decoded.palette)
                return grey_from(decoded, path)

            def bands() -> Iterator[np.ndarray]:
                rows = max(1, _BAND // width)
                deep = decode(read_bytes(path), path).pixels if kind == "png" and is_deep_colour(header) else None
                for top in range(0, height, rows):
                    bottom = min(height, top + rows)
                    if deep is not None:
                        yield grey(Decoded(deep[top:bottom], kind))
                    else:
                        band = image.crop((0, top, width, bottom))
                        yield grey(decoded_with_pillow(band, kind))

            with closing(image):
                source = decoded_once(
                    name, (height, width), bands, height * width * pixel_bytes, file_fingerprint(path), spill_dir,
                    channels=channels, acquisition=read_acquisition(path),
                )  # fmt: skip
                source.coloured = coloured
                return source
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{name}: not enough memory to decode the whole image; save it as a tiled TIFF") from error
    except Exception as error:  # Pillow answers damaged data with errors of every type
        raise unreadable(name, error) from error


def unless_one_large_block(source: BlockSource, block_bytes: int, spill_dir: Path | None) -> ImageSource:
    """The source itself; or, where the whole scan is one large block, what it holds, decoded once.

    Args:
        source: closed where it is not returned.
        block_bytes: what decoding a block takes.
        spill_dir: where a large scan goes.
    """
    whole = source.block[0] >= source.shape[0] and source.block[1] >= source.shape[1]
    if not whole or block_bytes <= LARGEST_SINGLE_BLOCK:
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
            acquisition=source.acquisition,
        )
        whole_source.coloured = source.coloured
        return whole_source


def decoded_once(
    name: str,
    shape: tuple[int, int],
    bands: Callable[[], Iterator[np.ndarray]],
    decoding_bytes: int,
    fingerprint: dict[str, Any],
    spill_dir: Path | None,
    *,
    channels: int,
    **options: Any,
) -> RawSource:
    """A source of the grey values that decoding gives, in memory or in a file of `spill_dir`.

    Args:
        name: the path as the user gave it.
        shape: height and width (px).
        bands: decodes; gives bands of rows (rows, W) from top to bottom.
        decoding_bytes: what that takes.
        fingerprint: the file's; a file in `spill_dir` that was made of the same scan is used again.
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
            storage = np.empty(shape, first.dtype)
            top = 0
            for band in _chain(first, parts):
                storage[top : top + len(band)] = band
                top += len(band)
        else:
            log.info("%s: decoded pixels are kept in %s", name, file)
            storage = file
            _spill(file, shape, first, parts)
    offset, dtype = 0, None
    if isinstance(storage, Path):
        mapped = np.load(storage, mmap_mode="r")
        offset, dtype = mapped.offset, mapped.dtype
    else:
        dtype = storage.dtype
    source = RawSource(
        name, storage, shape, dtype, offset=offset, decoded_whole=True, stored_fingerprint=fingerprint, **options
    )
    source.channels = channels
    return source


def _spill(file: Path, shape: tuple[int, int], first: np.ndarray, rest: Iterator[np.ndarray]) -> None:
    # written, not mapped: a full disk is an error for the one and a dead process for the other
    try:
        with atomic_path(file) as temporary, temporary.open("wb") as stream:
            header = {"descr": np.lib.format.dtype_to_descr(first.dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(stream, header)
            for band in _chain(first, rest):
                stream.write(np.ascontiguousarray(band).data)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise UserError(
                f"{file}: can't write decoded pixels here ({error.strerror}); free some space or choose another folder"
            ) from error
        raise


def _chain(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest
