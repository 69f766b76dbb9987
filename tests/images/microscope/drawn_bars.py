"""Scale bars drawn as the makers of microscopes draw them, at random, with the pixel size that they stand for."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

STYLES = ("zeiss", "zeiss_box", "thermo", "jeol", "jeol_beside", "hitachi", "tescan", "outline", "on_image")
_FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
_FACES = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", None)  # None: Pillow's own
_MICRO = ("um", "µm", "μm")


@dataclass(frozen=True)
class DrawnBar:
    """An image (H, W) with a bar, and what it stands for."""

    image: np.ndarray
    style: str
    text: str
    nm_per_pixel: float
    bar_height: int
    about: str


class _Page:
    """An image that is drawn on, with the choices that its texts share."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.width = int(rng.choice([640, 800, 1024, 1280]))
        self.height = self.width * 3 // 4
        self.size = int(rng.integers(13, 25)) * self.width // 900 + 3
        self.text, self.nm = _label(rng, three_digits=False)
        face = _FACES[rng.integers(len(_FACES) - (not self.text.isascii()))]  # Pillow's font knows ASCII only
        self.face = face or "Pillow"
        self.font = ImageFont.truetype(_FONTS / f"{face}.ttf", self.size) if face else ImageFont.load_default(self.size)
        self.length = int(rng.integers(self.width // 10, self.width // 4))
        texture = gaussian_filter(rng.normal(size=(self.height, self.width)), 3)
        texture = 120 + 30 * texture / texture.std() + rng.normal(0, 12, texture.shape)
        self.picture = Image.fromarray(np.uint8(np.clip(texture, 15, 235)))
        self.draw = ImageDraw.Draw(self.picture)
        self.pen, self.ground = (255, 0) if rng.random() < 0.6 else (0, 255)
        self.thick = int(rng.integers(1, 4))
        self.tick = int(rng.integers(3, 9))

    def strip(self) -> int:
        """An info bar below the image; its first row."""
        rows = round(self.size * 3.4)
        whole = Image.new("L", (self.width, self.height + rows), self.ground)
        whole.paste(self.picture)
        self.picture, self.draw = whole, ImageDraw.Draw(whole)
        if self.rng.random() < 0.3:
            self.draw.rectangle([0, self.height, self.width - 1, self.height + rows - 1], outline=self.pen)
        return self.height

    def write(self, x: float, y: float, text: str, anchor: str = "mm") -> None:
        self.draw.text((x, y), text, fill=self.pen, font=self.font, anchor=anchor)

    def facts(self, left: float, right: float, top: float) -> None:
        """Conditions in two rows of an info bar, as many as there is room for."""
        facts = [("EHT = 5.00 kV", "WD = 5.0 mm"), ("Signal A = SE2", "Mag = 5.00 K X"), ("HFW 207 um", "10 Aug 2018")]
        for column in facts:
            wide = max(self.font.getlength(fact) for fact in column) + self.size
            if left + wide > right:
                return
            for row, fact in enumerate(column):
                self.write(left + self.size / 2, top + self.size * (0.9 + 1.5 * row), fact, "lm")
            left += wide
            self.draw.line([left, top + 3, left, top + self.size * 3], fill=self.pen)

    def line(self, left: int, y: int, *, ends: tuple[int, int] = (1, 1)) -> None:
        """A line of the drawn length with ticks of one pixel's width; `ends`: how far they go up and down."""
        right = left + self.length
        self.draw.rectangle([left, y, right, y + self.thick - 1], fill=self.pen)
        for x in (left, right):
            top, bottom = y - ends[0] * self.tick, y + self.thick - 1 + ends[1] * self.tick
            self.draw.line([x, top, x, bottom], fill=self.pen)

    def solid(self, left: int, top: int, high: int, fill: int | None = None) -> None:
        """A bar that covers as many pixels as it is long."""
        box = [left, top, left + self.length - 1, top + high - 1]
        self.draw.rectangle(box, fill=self.pen if fill is None else fill, outline=self.pen)


def _label(rng: np.random.Generator, *, three_digits: bool) -> tuple[str, float]:
    unit, nm = [("nm", 1.0), ("um", 1e3), ("mm", 1e6)][rng.choice(3, p=[0.3, 0.6, 0.1])]
    values = {"nm": [100, 200, 300, 400, 500], "um": [1, 2, 3, 4, 5, 10, 20, 30, 50, 100, 200, 500], "mm": [1, 2]}[unit]
    value = int(rng.choice(values))
    shown = _MICRO[rng.integers(3)] if unit == "um" else unit
    if three_digits:
        return f"{value:.{max(0, 3 - len(str(value)))}f}{shown}", value * nm
    return f"{value}{' ' * int(rng.random() < 0.7)}{shown}", value * nm


def draw_bar(style: str, seed: int) -> DrawnBar:
    """Draw an image with a scale bar, then make it another size and compress it, or not.

    Args:
        style: one of `STYLES`.
        seed: of all choices.
    """
    rng = np.random.default_rng([STYLES.index(style), seed])
    page = _Page(rng)
    top = globals()[f"_{style}"](page)
    picture, scale, about = page.picture, 1.0, [page.face, str(page.size)]
    if rng.random() < 0.5:
        scale = float(rng.uniform(0.7, 1.8))
        way = [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS][rng.integers(3)]
        size = round(picture.width * scale), round(picture.height * scale)
        about.append(f"times {scale:.2f}")
        scale = size[0] / picture.width
        picture = picture.resize(size, way)
    if rng.random() < 0.6:
        quality = int(rng.integers(70, 96))
        about.append(f"JPEG {quality}")
        kept = io.BytesIO()
        picture.save(kept, "JPEG", quality=quality)
        picture = Image.open(kept)
    image = np.asarray(picture)
    bar_height = 0 if top is None else image.shape[0] - round(top * scale)
    return DrawnBar(image, style, page.text, page.nm / (page.length * scale), bar_height, ", ".join(about))


def _zeiss(page: _Page) -> int:
    top = page.strip()
    left = page.size
    page.line(left, top + round(page.size * 2.3))
    page.write(left + page.length / 2, top + page.size * 1.1, page.text)
    page.facts(left + page.length + 2 * page.size, page.width, top)
    return top


def _zeiss_box(page: _Page) -> None:
    page.pen, page.ground = (0, 255) if page.rng.random() < 0.7 else (255, 0)
    left, top = 2 * page.size, page.height - 5 * page.size
    frame = [left - page.size, top - page.size, left + page.length + page.size, top + 3 * page.size]
    page.draw.rectangle(frame, fill=page.ground, outline=page.pen if page.rng.random() < 0.5 else None)
    page.line(left, top + round(page.size * 1.6))
    page.write(left + page.length / 2, top + page.size * 0.2, page.text)


def _thermo(page: _Page) -> int:
    top = page.strip()
    page.thick = min(page.thick, 2)
    page.length = max(page.length, round(page.font.getlength(page.text) + 4 * page.size))
    left = page.width - page.length - page.size
    page.line(left, top + round(page.size * 1.7))
    half = page.font.getlength(page.text) / 2 + page.size * 0.4
    middle = left + page.length / 2
    page.draw.rectangle([middle - half, top + page.size, middle + half, top + page.size * 2.6], fill=page.ground)
    page.write(middle, top + round(page.size * 1.7), page.text)
    page.facts(0, left - page.size, top)
    return top


def _jeol(page: _Page) -> int:
    top = page.strip()
    left = page.width - page.length - 2 * page.size
    page.solid(left, top + round(page.size * 2.2), max(3, page.size // 3))
    page.write(left + page.length / 2, top + page.size * 1.1, page.text)
    page.write(page.size, top + page.size * 1.7, "15kV  X10,000  0012 11 SEI", "lm")
    return top


def _jeol_beside(page: _Page) -> int:
    top = page.strip()
    wide = page.font.getlength(page.text)
    left = round(page.width / 3 + wide)
    page.solid(left, top + round(page.size * 1.4), max(3, page.size // 2))
    if page.rng.random() < 0.5:
        page.write(left - page.size * 0.8, top + page.size * 1.7, page.text, "rm")
    else:
        page.write(left + page.length + page.size * 0.8, top + page.size * 1.7, page.text, "lm")
    return top


def _hitachi(page: _Page) -> int:
    page.text, page.nm = _label(page.rng, three_digits=True)
    page.text = page.text.replace("μ", "u").replace("µ", "u")
    top = page.strip()
    page.length = 10 * max(8, page.length // 10)
    left = page.width - page.length - 2 * page.size
    y, wide, high = top + round(page.size * 0.9), int(page.rng.integers(1, 4)), int(page.rng.integers(2, 9))
    for x in range(left, left + page.length + 1, page.length // 10):
        page.draw.rectangle([x, y, x + wide - 1, y + high - 1], fill=page.pen)
    middle = left + page.length / 2 if page.rng.random() < 0.5 else left + page.length - page.size
    page.write(middle, top + page.size * 2.4, page.text)
    page.write(page.size, top + page.size * 2.4, "S4800 5.0kV 8.2mm x10.0k SE(M)", "lm")
    return top


def _tescan(page: _Page) -> int:
    top = page.strip()
    left = page.width // 2
    page.line(left, top + round(page.size * 0.8), ends=(int(page.rng.integers(0, 2)), 1))
    page.write(left + page.length / 2, top + page.size * 2.4, page.text)
    page.facts(0, left - page.size, top)
    return top


def _outline(page: _Page) -> int:
    top = page.strip()
    left = page.width - page.length - 2 * page.size
    page.solid(left, top + round(page.size * 2.2), max(6, page.size // 2), fill=page.ground)
    page.write(left + page.length / 2, top + page.size * 1.1, page.text)
    return top


def _on_image(page: _Page) -> None:
    left, top = page.width - page.length - 2 * page.size, page.height - 3 * page.size
    page.solid(left, top, max(3, page.size // 3))
    above = page.rng.random() < 0.5
    page.write(left + page.length / 2, top + page.size * (-1.0 if above else 1.4), page.text)
