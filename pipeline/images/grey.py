"""From the numbers that a file stores to the grey values of an image, or the classes of a label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from pipeline.errors import FileProblem

#: of the range of the values; JPEG moves the channels of a grey image by a little
_NOTICEABLE = 0.04
#: a logo or a scale bar in colour is less
_LEAST_SHARE = 0.01
# ITU-R BT.601 luma, the weights that Pillow, OpenCV and ImageJ's "weighted" conversion use
_LUMA = np.array([0.299, 0.587, 0.114])

#: what to say about an image in colour
COLOUR_ADVICE = (
    "they are converted to grey as 0.299 red + 0.587 green + 0.114 blue. If the colours stand for "
    "something else (several detectors, a colour scale), save the channel that shows the pores as grey"
)


@dataclass(frozen=True)
class Encoding:
    """What the numbers that a file stores stand for.

    Attributes:
        palette: (K, 3) uint8 where they are indices into it, else None.
        white_is_zero: whether the file is to be shown inverted (TIFF's "MinIsWhite").
        bits: of each number, where they are fewer than its type has; None: all.
        jpeg: whether they went through JPEG, which changes them.
    """

    palette: np.ndarray | None = None
    white_is_zero: bool = False
    bits: int | None = None
    jpeg: bool = False


PLAIN = Encoding()


def grey_of(pixels: np.ndarray, encoding: Encoding, name: str) -> np.ndarray:
    """Grey values of stored numbers, each pixel on its own.

    Colour becomes grey: one channel where all are the same, else BT.601 luma. Alpha is ignored, a palette is applied,
    1, 2 and 4 bits are spread over 0 to 255, and "white is zero" is turned so that larger is brighter.

    Args:
        pixels: (H, W), or (H, W, C) with C of 2 (grey, alpha), 3 (RGB) or 4 (RGBA); bool for 1 bit.
        encoding: what they stand for.
        name: the image's, for messages.

    Returns:
        (H, W), uint8 or uint16 where the file has them, else float32.

    Raises:
        FileProblem: a number is outside the palette.
    """
    highest = None
    if encoding.palette is not None:
        pixels = _apply(encoding.palette, pixels, name)
    elif encoding.bits is not None:
        highest = 2**encoding.bits - 1
        if encoding.bits < 8:
            pixels, highest = pixels.astype(np.uint8) * np.uint8(255 // highest), 255
    if pixels.ndim == 3:
        pixels = _one_channel(pixels)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        pixels = pixels.astype(np.float32)
    if encoding.white_is_zero:
        pixels = -pixels if pixels.dtype == np.float32 else (highest or np.iinfo(pixels.dtype).max) - pixels
    return pixels


def label_of(pixels: np.ndarray, encoding: Encoding, name: str) -> np.ndarray:
    """Classes of stored numbers; see `pipeline.images.read_label`.

    Args:
        pixels: of the whole label, as for `grey_of`.
        encoding: what they stand for.
        name: the label's, for messages.

    Returns:
        (H, W) integers.

    Raises:
        FileProblem: it is in colour, negative, not of whole numbers, or a JPEG that is not black and white.
    """
    if encoding.palette is not None and (encoding.palette == encoding.palette[:, :1]).all():
        pixels = _apply(encoding.palette, pixels, name)
    if pixels.ndim == 3:
        colours = pixels[..., :1] if pixels.shape[-1] == 2 else pixels[..., :3]
        if (colours != colours[..., :1]).any():
            remedy = "save it with one grey value per class (0 background, 1 pore, say)"
            if encoding.jpeg:
                remedy += ", and not as JPEG"
            raise FileProblem(name, "it is a colour image, but a label is needed here", remedy)
        pixels = colours[..., 0]
    if encoding.bits == 1 and encoding.palette is None:
        # displayed values: a 1-bit "white is zero" file is what scanners and fax codecs write
        return np.where((pixels != 0) != encoding.white_is_zero, 255, 0).astype(np.uint8)
    if encoding.jpeg:
        return _cut_jpeg(pixels, name)
    if pixels.dtype.kind != "u" and pixels.min(initial=0) < 0:
        what = f"its values go down to {pixels.min():g}, but the class numbers of a label begin with 0"
        raise FileProblem(name, what, "save it as an unsigned 8-bit image")
    if pixels.dtype.kind in "iu":
        return pixels
    if not np.isfinite(pixels).all() or (pixels != np.round(pixels)).any():
        what = "its values are not whole numbers, but a label has one class number per pixel"
        raise FileProblem(name, what, "round it or threshold it, and save it as an 8-bit image")
    return pixels.astype(np.int64)


def _apply(palette: np.ndarray, indices: np.ndarray, name: str) -> np.ndarray:
    if indices.max(initial=0) >= len(palette):
        raise FileProblem(name, "it is damaged (a pixel is outside its palette)", "save it again as grey PNG or TIFF")
    return palette[indices]


def _one_channel(pixels: np.ndarray) -> np.ndarray:
    """(H, W) from (H, W, C)."""
    first = pixels[..., 0]
    if pixels.shape[-1] < 3 or ((first == pixels[..., 1]).all() and (first == pixels[..., 2]).all()):
        return first
    grey = pixels[..., :3] @ _LUMA
    return np.rint(grey).astype(pixels.dtype) if pixels.dtype.kind in "iu" else grey.astype(pixels.dtype)


def _cut_jpeg(pixels: np.ndarray, name: str) -> np.ndarray:
    """Threshold a black-and-white mask that went through JPEG.

    Compression smears values near edges only, so a pixel whose neighbours are like it still shows the class that
    was drawn. Where such pixels are neither black nor white, there were other classes, and they are lost.
    """
    spread = maximum_filter(pixels, 3).astype(int) - minimum_filter(pixels, 3)
    flat = pixels[spread <= 16]
    between = np.count_nonzero((flat > 40) & (flat < 215))
    dim = pixels.max(initial=0) <= 40 and pixels.any()  # classes 0, 1, 2: they cannot be recognised any more
    if dim or between > 0.002 * pixels.size:
        what = "it is a JPEG with more than black and white, and JPEG changes values"
        raise FileProblem(name, what, "export the label again as PNG or TIFF")
    return np.where(pixels >= 128, 255, 0).astype(np.uint8)


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
    red, green, blue = (pixels[::2, ::2, channel] for channel in range(3))
    if (red == green).all() and (green == blue).all():
        return False
    red, green, blue = (channel.astype(np.float32) for channel in (red, green, blue))
    darkest, brightest = np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
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
