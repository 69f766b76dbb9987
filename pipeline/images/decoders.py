"""From the bytes of an image file to pixels, with what the file says about their meaning."""

from __future__ import annotations

import gzip
import io
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile
from nibabel.nifti1 import Nifti1Image
from nibabel.nifti2 import Nifti2Image
from PIL import Image

from pipeline.errors import FileProblem, on_one_line
from pipeline.images.formats import kind_of, open_with_pillow

#: of the range of the values; JPEG moves the channels of a grey image by a little
_NOTICEABLE = 0.04
#: a logo or a scale bar in colour is less
_LEAST_SHARE = 0.01

#: what to say about such an image
COLOUR_ADVICE = (
    "they are converted to grey as 0.299 red + 0.587 green + 0.114 blue. If the colours stand for "
    "something else (several detectors, a colour scale), save the channel that shows the pores as grey"
)


def channels_differ(pixels: np.ndarray, palette: np.ndarray | None = None) -> bool:
    """Whether the channels of more than a few pixels differ.

    Args:
        pixels: as stored, (H, W) or (H, W, C); alpha is not looked at.
        palette: (K, 3) uint8 where the pixels are indices into it.
    """
    if palette is not None:
        if (palette == palette[:, :1]).all() or pixels.max(initial=0) >= len(palette):
            return False
        pixels = palette[pixels]
    if pixels.ndim != 3 or pixels.shape[-1] < 3:
        return False
    colours = pixels[::2, ::2, :3].astype(np.float32)
    darkest, brightest = colours.min(axis=-1), colours.max(axis=-1)
    span = float(brightest.max(initial=0) - min(0.0, float(darkest.min(initial=0))))
    return bool(span > 0 and np.mean(brightest - darkest > _NOTICEABLE * span) > _LEAST_SHARE)


#: levels of a mask at most. The micrographs that are known have 58 and more, masks 2 and 3
MOST_OF_A_MASK = 8
#: pixels that show whether it is worth while to look at all
_FIRST = 4096


def few_levels(pixels: np.ndarray) -> np.ndarray | None:
    """The grey levels of an image or a part of one, any shape, in order; None for more than a mask has."""
    flat = pixels.reshape(-1)
    for part in (flat[:: max(1, flat.size // _FIRST)], flat):
        levels = np.unique(part)
        if len(levels) > MOST_OF_A_MASK:
            return None
    return levels


# tifffile logs a line for every odd tag; vendors write many, and damage is reported by our own errors
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_GZIP = b"\x1f\x8b"
_SAVE_AGAIN = "copy it again from the original, or open it in an image viewer and save it as PNG or TIFF"
_SPLIT_STACK = "save the slices as single images, one file each"


@dataclass(frozen=True)
class Decoded:
    """The pixels of one 2-D image file, as stored but for `step`.

    Attributes:
        pixels: (H, W), or (H, W, C) with C of 2 (grey, alpha), 3 (RGB) or 4 (RGBA); bool for a 1-bit file.
        kind: png, jpeg, bmp, tiff or nifti: what the content is, whatever the suffix says.
        palette: (K, 3) uint8 where the pixels are indices into it, else None.
        white_is_zero: Whether the file is to be shown inverted (TIFF's "MinIsWhite").
        step: By what the decoder multiplied the stored values: grey PNGs of 2 and 4 bits are spread over 0 to 255.
    """

    pixels: np.ndarray
    kind: str
    palette: np.ndarray | None = None
    white_is_zero: bool = False
    step: int = 1


def decode(data: bytes, path: Path) -> Decoded:
    """Decode the bytes of an image file.

    Args:
        data: The whole file.
        path: Its path, for messages.

    Raises:
        FileProblem: The file is empty, truncated, damaged, of an unknown kind, or not one 2-D image.
    """
    if not data:
        raise FileProblem(path, "the file is empty (0 bytes)", "copy it again from the original")
    kind = kind_of(data)
    if kind is None:
        what = "its content is not PNG, TIFF, JPEG, BMP or NIfTI"
        if data.startswith(b"version https://git-lfs"):
            what = "it is a Git LFS pointer, not the image itself"
        raise FileProblem(path, what, _SAVE_AGAIN)
    try:
        if kind == "tiff":
            return _decode_tiff(data, path)
        if kind == "nifti":
            return _decode_nifti(data, path)
        return _decode_with_pillow(data, kind)
    except FileProblem:
        raise
    except MemoryError as error:
        raise FileProblem(path, "not enough memory to decode it", "cut it into smaller images") from error
    except Exception as error:  # decoders answer damaged data with errors of every type
        cause = on_one_line(error)
        raise FileProblem(path, f"it is truncated or damaged ({cause})", _SAVE_AGAIN) from error


def _decode_with_pillow(data: bytes, kind: str) -> Decoded:
    if kind == "png" and is_deep_colour(data):
        # Pillow silently cuts 16-bit colour to 8 bits
        import imagecodecs

        return Decoded(np.asarray(imagecodecs.png_decode(data)), kind)
    image = open_with_pillow(io.BytesIO(data), kind)
    image.load()
    decoded = decoded_with_pillow(image, kind)
    bits, colour = data[24:26] if kind == "png" else (8, 0)
    return replace(decoded, step=255 // (2**bits - 1)) if colour == 0 and bits in (2, 4) else decoded


def is_deep_colour(png: bytes) -> bool:
    """Return whether a PNG, of which the first 26 bytes suffice, is colour or grey with alpha at 16 bits."""
    return png[24] == 16 and png[25] in (2, 4, 6)


def decoded_with_pillow(image: Image.Image, kind: str) -> Decoded:
    """Return the pixels of an image that was opened by `open_with_pillow`, or of a crop of it."""
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return Decoded(np.asarray(image), kind, palette=palette)
    if image.mode not in ("1", "L", "LA", "RGB", "RGBA", "I") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if image.mode == "I":  # how older Pillow reads 16-bit grey
        pixels = pixels.astype(np.uint16)
    return Decoded(pixels, kind)


def _decode_tiff(data: bytes, path: Path) -> Decoded:
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        # thumbnails and pyramid levels beside the image are no images of their own
        series = [s for s in tiff.series if not s.keyframe.is_reduced] or list(tiff.series)
        if not series:
            raise FileProblem(path, "it is truncated or damaged (no image in the TIFF)", _SAVE_AGAIN)
        slices = sum(_slices_of(s) for s in series)
        if slices > 1:
            raise _not_flat(path, slices, "multi-page TIFF")
        for page in series[0].pages:
            if page is not None and _end_of(page) > len(data):
                missing = _end_of(page) - len(data)
                raise FileProblem(path, f"it is truncated ({missing} bytes are missing)", _SAVE_AGAIN)
        page = series[0].keyframe
        photometric = int(page.photometric)
        if photometric > 3 and not (photometric == 6 and page.compression in (6, 7)):
            what = f"its colour space ({page.photometric.name}) is not grey, RGB or palette"
            raise FileProblem(path, what, "save it as grey")
        axes = series[0].axes
        single = tuple(i for i, axis in enumerate(axes) if axis not in "YXS")
        pixels = series[0].asarray().squeeze(axis=single)
        if axes.find("S") in range(axes.find("Y")):  # planar: channels first
            pixels = np.moveaxis(pixels, 0, -1)
        if pixels.ndim == 3 and pixels.shape[-1] > 4:
            what = f"it has {pixels.shape[-1]} channels, but grey or RGB(A) is needed here"
            raise FileProblem(path, what, "save one channel as grey")
        palette = None
        if photometric == 3 and page.colormap is not None:
            palette = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
        return Decoded(_native(pixels), "tiff", palette, white_is_zero=photometric == 0)


def _slices_of(series: tifffile.TiffPageSeries) -> int:
    """Return how many 2-D images a series holds."""
    return math.prod(n for axis, n in zip(series.axes, series.shape, strict=True) if axis not in "YXS")


def _end_of(page: tifffile.TiffPage | tifffile.TiffFrame) -> int:
    """Return the offset at which the page's pixel data ends, in bytes."""
    return max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)), default=0)


def _decode_nifti(data: bytes, path: Path) -> Decoded:
    if data.startswith(_GZIP):
        data = gzip.decompress(data)
    version2 = 540 in (int.from_bytes(data[:4], "little"), int.from_bytes(data[:4], "big"))
    nifti = (Nifti2Image if version2 else Nifti1Image).from_bytes(data)
    shape = nifti.shape
    if len(shape) < 2:
        raise FileProblem(path, f"it holds an array of shape {shape}, not an image", "save it as a 2-D image")
    slices = math.prod(shape[2:])
    if slices > 1:
        raise _not_flat(path, slices, "volume")
    pixels = np.asanyarray(nifti.dataobj).reshape(shape[:2])
    if pixels.dtype.names:  # NIfTI's RGB is a record of three bytes
        pixels = np.stack([pixels[name] for name in pixels.dtype.names], axis=-1)
    return Decoded(_native(np.swapaxes(pixels, 0, 1)), "nifti")  # NIfTI's first axis is x


def _native(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))


def _not_flat(path: Path, slices: int, what: str) -> FileProblem:
    return FileProblem(path, f"it is a {what} with {slices} slices, but 2-D images are needed here", _SPLIT_STACK)
