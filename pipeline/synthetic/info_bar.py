"""The strip of text and scale bar that a microscope writes under its image."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def info_bar_height(height: int) -> int:
    """Height of the strip under an image of `height` rows in total, pixels."""
    return min(max(12, round(0.07 * height)), 72)


def draw_info_bar(height: int, width: int, pixel_size_nm: float) -> np.ndarray:
    """Draw the strip.

    Args:
        height: of the strip, pixels.
        width: of the image, pixels.
        pixel_size_nm: pixel size, nanometres.

    Returns:
        uint8 ``(height, width)``: white on black.
    """
    length_nm = _round_length(0.22 * width * pixel_size_nm)
    length = max(1, round(length_nm / pixel_size_nm))
    label = f"{length_nm / 1000:g} um" if length_nm >= 1000 else f"{length_nm:g} nm"
    strip = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(strip)
    text_height = max(5, round(0.42 * height))
    right = width - max(2, round(0.02 * width))
    bar_top = round(0.72 * height)
    draw.rectangle([right - length, bar_top, right, bar_top + max(1, height // 14)], fill=255)
    caption = _text(label, text_height)
    strip.paste(caption, (right - length // 2 - caption.width // 2, round(0.12 * height)))
    field_um = width * pixel_size_nm / 1000
    facts = _text(f"HV 5.00 kV   WD 4.1 mm   HFW {field_um:.3g} um   ETD", text_height)
    room = right - max(length, caption.width) - 4
    if facts.width > room:
        facts = facts.crop((0, 0, max(room, 1), facts.height))
    strip.paste(facts, (max(2, round(0.02 * width)), round(0.3 * height)))
    draw.line([0, 0, width, 0], fill=160)
    return np.asarray(strip).copy()


def _text(text: str, height: int) -> Image.Image:
    """Render `text` in Pillow's built-in font, scaled to `height` pixels."""
    font = ImageFont.load_default()
    left, top, right, bottom = (int(np.ceil(edge)) for edge in font.getbbox(text))
    image = Image.new("L", (right - left + 2, bottom - top + 2), 0)
    ImageDraw.Draw(image).text((1 - left, 1 - top), text, fill=255, font=font)
    return image.resize((max(1, round(image.width * height / image.height)), height), Image.Resampling.BICUBIC)


def _round_length(length_nm: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is not above `length_nm`."""
    decade = 10.0 ** np.floor(np.log10(length_nm))
    return float(decade * max(step for step in (1, 2, 5) if step * decade <= length_nm * (1 + 1e-9)))
