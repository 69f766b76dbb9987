"""Info bars as different makers draw them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def boxes(height: int, width: int, ground: int, pen: int) -> np.ndarray:
    """Two rows of boxes with frames, as Thermo Fisher draws them."""
    image = Image.new("L", (width, height), ground)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=max(8, height * 0.3))
    draw.rectangle([0, 0, width - 1, height - 1], outline=pen)
    draw.line([0, height // 2, width * 0.7, height // 2], fill=pen)
    edges = np.linspace(0, width * 0.7, 7)
    for number, left in enumerate(edges):
        draw.line([left, 0, left, height], fill=pen)
        if number < 6:
            draw.text((left + 4, height * 0.08), ["HV", "mag", "WD", "det", "spot", "tilt"][number], pen, font)
            draw.text((left + 4, height * 0.58), f"{number}.00 kV", pen, font)
    draw.line([width * 0.78, height * 0.7, width * 0.95, height * 0.7], fill=pen, width=2)
    draw.text((width * 0.84, height * 0.2), "5 um", pen, font)
    return np.asarray(image).copy()


def one_line(height: int, width: int, ground: int, pen: int) -> np.ndarray:
    """A line of text and a scale bar, as JEOL and Hitachi draw them."""
    image = Image.new("L", (width, height), ground)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=height * 0.5)
    draw.text((width * 0.02, height * 0.2), "SEI  5.0kV   X1,000  WD 8.0mm   10um", pen, font)
    draw.rectangle([width * 0.8, height * 0.6, width * 0.95, height * 0.7], fill=pen)
    return np.asarray(image).copy()
