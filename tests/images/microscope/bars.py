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


def data_zone(height: int, width: int, ground: int, pen: int, frame: int | None = None) -> np.ndarray:
    """Fields beside a scale bar with ticks, with or without a frame, as ZEISS SmartSEM draws them."""
    image = Image.new("L", (width, height), ground)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=max(9, height * 0.24))
    draw.text((width * 0.03, height * 0.1), "2 \u00b5m", pen, font)
    left, right, line = width * 0.03, width * 0.2, height * 0.62
    draw.line([left, line, right, line], fill=pen, width=2)
    for end in (left, right):
        draw.line([end, line - 4, end, line + 4], fill=pen)
    fields = [("EHT =  8.00 kV", "WD =  7.7 mm"), ("Signal A = SE2", "Mag =   2.00 K X"), ("10 Aug 2018", "11:41:13")]
    for number, (upper, lower) in enumerate(fields):
        at = width * (0.25 + 0.25 * number)
        draw.text((at, height * 0.12), upper, pen, font)
        draw.text((at, height * 0.55), lower, pen, font)
        draw.line([at - 6, 0, at - 6, height], fill=pen)
    if frame is not None:
        draw.rectangle([0, 0, width - 1, height - 1], outline=frame)
    return np.asarray(image).copy()


def one_line(height: int, width: int, ground: int, pen: int) -> np.ndarray:
    """A line of text and a scale bar, as JEOL and Hitachi draw them."""
    image = Image.new("L", (width, height), ground)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=height * 0.5)
    draw.text((width * 0.02, height * 0.2), "SEI  5.0kV   X1,000  WD 8.0mm   10um", pen, font)
    draw.rectangle([width * 0.8, height * 0.6, width * 0.95, height * 0.7], fill=pen)
    return np.asarray(image).copy()
