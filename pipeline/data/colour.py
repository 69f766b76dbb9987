"""Whether an image that is stored in colour is one of grey values."""

from __future__ import annotations

import numpy as np

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
