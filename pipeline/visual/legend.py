"""What the colours of a picture mean, written below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.visual.colours import RGB

_BACKGROUND = 255
_TEXT = 32


def add_legend(rgb: np.ndarray, entries: Sequence[tuple[str, RGB]]) -> np.ndarray:
    """Add a strip with a colour patch and a label for each entry below a picture.

    The letters grow with the picture. Entries that do not fit side by side go into further rows; a picture narrower
    than one label is padded at its right.

    Args:
        rgb: (H, W, 3), uint8.
        entries: label and colour, in reading order.

    Returns:
        (H', W', 3), uint8, H' > H and W' >= W, with the unchanged picture at its top left.
    """
    height, width = rgb.shape[:2]
    size = int(np.clip(width / 40, 12, 48))
    font = ImageFont.load_default(size)
    gap = size // 2
    line = size + gap
    lengths = [size + gap + int(np.ceil(font.getlength(label))) for label, _ in entries]

    places, x, row = [], gap, 0
    for length in lengths:
        if x > gap and x + length + gap > width:
            x, row = gap, row + 1
        places.append((x, row * line))
        x += length + 2 * gap

    strip_width = max(width, max(lengths) + 2 * gap)
    strip = Image.new("RGB", (strip_width, (row + 1) * line + gap), (_BACKGROUND,) * 3)
    draw = ImageDraw.Draw(strip)
    for (label, colour), (x, y) in zip(entries, places, strict=True):
        top = y + gap
        draw.rectangle((x, top, x + size - 1, top + size - 1), fill=colour, outline=(_TEXT,) * 3)
        draw.text((x + size + gap, top + size / 2), label, fill=(_TEXT,) * 3, font=font, anchor="lm")

    picture = np.full((height + strip.height, strip_width, 3), _BACKGROUND, np.uint8)
    picture[:height, :width] = rgb
    picture[height:] = np.asarray(strip)
    return picture
