"""Info bars as five makers draw them, on any picture, as they reach a reader: framed, inset, rescaled, compressed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

MAKERS = ("zeiss", "thermo", "jeol", "hitachi", "tescan")
_FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
_FACES = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", None)  # None: Pillow's own


@dataclass(frozen=True)
class Variant:
    """What is done with a bar.

    Attributes:
        maker: one of `MAKERS`.
        white_on_black: or black on white.
        on_top: or at the bottom.
        frame: level of a frame of one pixel; None: no frame.
        inset: rows of the picture beyond the bar, and columns beside it (px).
        scale: the image is made so much larger afterwards.
        quality: of the JPEG that it is stored as at last; None: not compressed.
    """

    maker: str
    white_on_black: bool = True
    on_top: bool = False
    frame: int | None = None
    inset: tuple[int, int] = (0, 0)
    scale: float = 1.0
    quality: int | None = None

    @classmethod
    def drawn_by(cls, rng: np.random.Generator) -> Variant:
        """One of all, at random."""
        return cls(
            maker=str(rng.choice(MAKERS)),
            white_on_black=bool(rng.random() < 0.5),
            on_top=bool(rng.random() < 0.4),
            frame=[None, None, 0, 128, 255][rng.integers(5)],
            inset=(0, 0) if rng.random() < 0.6 else (int(rng.integers(0, 3)), int(rng.integers(0, 2))),
            scale=1.0 if rng.random() < 0.3 else float(rng.uniform(0.5, 1.7)),
            quality=None if rng.random() < 0.2 else int(rng.integers(50, 96)),
        )


def with_bar(picture: np.ndarray, variant: Variant, seed: int = 0) -> tuple[np.ndarray, tuple[int, int]]:
    """Add a bar to a picture, and process the whole.

    Args:
        picture: grey values (H, W), uint8.
        variant: which bar.
        seed: of its texts and sizes.

    Returns:
        The image, and its first row and end that show the picture, rounded towards the picture.
    """
    rng = np.random.default_rng(seed)
    width = picture.shape[1]
    low = width // 22 if variant.maker in ("zeiss", "hitachi") else width // 15
    rows = int(np.clip(rng.integers(low, low + width // 30 + 2), 24, 100))
    beyond, beside = variant.inset
    bar = _strip(variant, rows, width - beside, rng)
    picture = picture[::-1] if variant.on_top else picture
    image = np.vstack([picture, np.zeros((rows, width), np.uint8)])
    edge = picture[-rows:, ::-1]  # what goes on beside and beyond the bar
    image[-rows:] = edge
    image[len(image) - rows - beyond : len(image) - beyond, : width - beside] = bar[::-1] if variant.on_top else bar
    image = image[::-1] if variant.on_top else image
    kept = len(image) - rows - beyond
    shown = Image.fromarray(image)
    if variant.scale != 1:
        way = [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS][rng.integers(3)]
        shown = shown.resize((round(width * variant.scale), round(len(image) * variant.scale)), way)
    if variant.quality is not None:
        stored = io.BytesIO()
        shown.save(stored, "JPEG", quality=variant.quality)
        shown = Image.open(stored)
    made = np.asarray(shown)
    left = int(kept * len(made) / len(image))
    return made, ((len(made) - left, len(made)) if variant.on_top else (0, left))


class _Pen:
    """Draws on a strip."""

    def __init__(self, rows: int, width: int, white_on_black: bool, rng: np.random.Generator) -> None:
        self.rows, self.width, self.rng = rows, width, rng
        self.ground, self.level = (0, 255) if white_on_black else (255, 0)
        if rng.random() < 0.2:  # a grey that is not quite black, or not quite white
            self.ground, self.level = (30, 230) if white_on_black else (225, 10)
        self.strip = Image.new("L", (width, rows), self.ground)
        self.draw = ImageDraw.Draw(self.strip)

    def font(self, share: float) -> ImageFont.FreeTypeFont:
        """A font whose size is a share of the strip's rows."""
        face, size = _FACES[self.rng.integers(len(_FACES))], max(9, round(self.rows * share))
        return ImageFont.truetype(_FONTS / f"{face}.ttf", size) if face else ImageFont.load_default(size)

    def write(self, x: float, y: float, text: str, font: ImageFont.FreeTypeFont, anchor: str = "lm") -> float:
        """Write text; returns where it ends."""
        self.draw.text((x, y), text, self.level, font, anchor)
        return x + font.getlength(text)

    def line(self, *ends: float, thick: int = 1) -> None:
        """A line from x, y to x, y."""
        self.draw.line(list(ends), self.level, thick)


def _strip(variant: Variant, rows: int, width: int, rng: np.random.Generator) -> np.ndarray:
    pen = _Pen(rows, width, variant.white_on_black, rng)
    globals()[f"_{variant.maker}"](pen)
    if variant.frame is not None:
        pen.draw.rectangle([0, 0, width - 1, rows - 1], outline=variant.frame)
    return np.asarray(pen.strip).copy()


def _number(rng: np.random.Generator, digits: int = 2) -> str:
    return f"{rng.uniform(1, 30):.{digits}f}"


def _zeiss(pen: _Pen) -> None:
    rng, rows, width = pen.rng, pen.rows, pen.width
    font = pen.font(0.3)
    left, right, y = width * 0.02, width * rng.uniform(0.12, 0.2), rows * 0.68
    pen.write(left, rows * 0.3, f"{rng.integers(1, 100)} \u00b5m" if rng.random() < 0.5 else "200 nm", font)
    pen.line(left, y, right, y, thick=2)
    for end in (left, right):
        pen.line(end, y - 4, end, y + 4)
    fields = [
        (f"EHT = {_number(rng)} kV", f"WD = {_number(rng, 1)} mm"),
        ("Signal A = SE2", f"Mag = {_number(rng)} K X"),
        ("Date :10 Aug 2018", "Time :11:41:13"),
    ]
    x = right + width * 0.04
    for upper, lower in fields[: 3 if width > 700 else 2]:
        end = max(pen.write(x, rows * 0.29, upper, font), pen.write(x, rows * 0.72, lower, font))
        x = end + width * 0.03
    if rng.random() < 0.5 and x < width * 0.85:
        pen.write(x, rows * 0.5, "ZEISS", pen.font(0.5))


def _thermo(pen: _Pen) -> None:
    rng, rows, width = pen.rng, pen.rows, pen.width
    font, edge = pen.font(0.28), width * rng.uniform(0.55, 0.72)
    names = ["HV", "curr", "det", "mode", "mag", "WD", "HFW"]
    values = [f"{_number(rng)} kV", "86 pA", "TLD", "SE", f"{rng.integers(1, 99)} 000 x", "4.1 mm", "8.29 \u00b5m"]
    columns = np.linspace(0, edge, 7 if width > 700 else 5)
    for number, (left, right) in enumerate(pairwise(columns)):
        pen.write((left + right) / 2, rows * 0.26, names[number], font, "mm")
        pen.write((left + right) / 2, rows * 0.74, values[number], font, "mm")
        pen.line(right, 0, right, rows)
    pen.line(0, rows * 0.5, edge, rows * 0.5)
    middle, half = (edge + width) / 2, (width - edge) * 0.4
    y = rows * 0.3
    for way in (-1, 1):
        pen.line(middle + way * half, y, middle + way * half * 0.4, y)
        pen.line(middle + way * half, y - 5, middle + way * half, y + 5)
    pen.write(middle, y, "2 \u00b5m", font, "mm")
    pen.write(middle, rows * 0.74, "Helios NanoLab", font, "mm")


def _jeol(pen: _Pen) -> None:
    rng, rows, width = pen.rng, pen.rows, pen.width
    font, x = pen.font(0.42), width * 0.02
    for text in ("SEI", f"{_number(rng, 1)}kV", f"X{rng.integers(1, 90)},000", f"WD {_number(rng, 1)}mm"):
        x = pen.write(x, rows * 0.5, text, font) + width * 0.03
    left, right = width * 0.75, width * rng.uniform(0.88, 0.96)
    pen.draw.rectangle([left, rows * 0.68, right, rows * 0.78], fill=pen.level)
    pen.write(left, rows * 0.35, f"{rng.integers(1, 10)}\u00b5m", font)


def _hitachi(pen: _Pen) -> None:
    rng, rows, width = pen.rng, pen.rows, pen.width
    font = pen.font(0.42)
    text = f"SU8000 {_number(rng, 1)}kV {_number(rng, 1)}mm x{_number(rng, 1)}k SE(U)"
    pen.write(width * 0.02, rows * 0.6, text, font)
    left, right = width * 0.74, width * 0.97
    for x in np.linspace(left, right, 11).astype(int):
        pen.draw.rectangle([x, rows * 0.18, x + 2, rows * 0.28], fill=pen.level)
    pen.write((left + right) / 2, rows * 0.65, f"{rng.integers(1, 10)}.00um", font, "mm")


def _tescan(pen: _Pen) -> None:
    rng, rows, width = pen.rng, pen.rows, pen.width
    font = pen.font(0.22)
    left = [f"SEM HV: {_number(rng, 1)} kV", f"View field: {_number(rng)} \u00b5m", f"SEM MAG: {_number(rng)} kx"]
    right = ["Det: SE", f"WD: {_number(rng)} mm", "Date(m/d/y): 03/14/17"]
    for row, (one, other) in enumerate(zip(left, right, strict=True)):
        y = rows * (0.2 + 0.3 * row)
        pen.write(width * 0.01, y, one, font)
        pen.write(width * 0.28, y, other, font)
    start, end, y = width * 0.54, width * 0.72, rows * 0.22
    pen.line(start, y, end, y, thick=2)
    for x in (start, end):
        pen.line(x, y, x, y + 6)
    pen.write((start + end) / 2, rows * 0.5, "10 \u00b5m", font, "mm")
    pen.write(width * 0.78, rows * 0.3, "MIRA3 TESCAN", font)
    pen.write(width * 0.78, rows * 0.7, "University", font)
