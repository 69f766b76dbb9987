"""The scale bar drawn in an image: its line is measured, and the text beside it is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.images.microscope.acquisition import Acquisition
from pipeline.images.microscope.ink import Box, Ink, inks
from pipeline.images.microscope.quantities import nm_per
from pipeline.images.microscope.scale_labels import label_of
from pipeline.images.microscope.scale_lines import ScaleLine, scale_lines
from pipeline.images.rectangles import Rows
from pipeline.images.source import ImageSource

#: in place of a pixel size: as the bar says
SCALE_BAR = "scale-bar"
#: width of what SEMs image (nm)
_SMALLEST_FIELD, _LARGEST_FIELD = 50.0, 3e7
#: lines of an image that are looked at, at one level
_MOST_LINES = 12
#: readings that differ by less agree; so do the bar and the file
_SAME, _TAGS_DIFFER = 0.02, 0.03
#: of a large image, lower rows and pixels are looked at
_LEAST_ROWS, _MOST_PIXELS = 64, 1 << 22
#: around a bar in its picture, and its font's size (px)
_MARGIN = 16


@dataclass(frozen=True)
class ScaleBar:
    """A scale bar that was read.

    Attributes:
        length: in `unit`.
        unit: nm, um or mm.
        pixels: length of its line (px).
        confidence: certainty of the text, from 0 to 1.
        line: where its line is, ticks too.
        label: where its text is.
        text: as recognised.
    """

    length: float
    unit: str
    pixels: float
    confidence: float
    line: Box
    label: Box
    text: str

    @property
    def nm_per_pixel(self) -> float:
        """Side of a pixel (nm)."""
        return self.length * (nm_per(self.unit) or 0.0) / self.pixels

    def describe(self) -> str:
        """One line: what was read, and what follows."""
        size = f"{self.nm_per_pixel:.4g}" if self.nm_per_pixel < 1e4 else f"{self.nm_per_pixel:.0f}"
        return f"{self.length:g} {self.unit} over {self.pixels:.4g} px, {size} nm/px"

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {**asdict(self), "nm_per_pixel": self.nm_per_pixel}


def find_scale_bar(source: ImageSource, imaged: Rows | None = None) -> ScaleBar | None:
    """Read the scale bar of an image of any size, of which the lower rows are looked at if it is large.

    Args:
        source: as it is stored, with its info bar.
        imaged: its rows without the info bar; None: all.

    Returns:
        Places in it are those of the whole image. None as for `read_scale_bar`, or where the rows can't be read.
    """
    height, width = source.shape
    on_top, bar_height = (0, 0) if imaged is None else (imaged.first, height - imaged.stop)
    try:
        if on_top and (bar := read_scale_bar(source.read(0, 0, on_top, width))) is not None:
            return bar
    except UserError:  # told where these rows are needed
        return None
    rows = min(height, max(bar_height, _LEAST_ROWS, _MOST_PIXELS // width))
    try:
        bar = read_scale_bar(source.read(height - rows, 0, rows, width), bar_height)
    except UserError:  # told where these rows are needed
        return None
    down = height - rows
    return None if bar is None else replace(bar, line=bar.line.moved(down), label=bar.label.moved(down))


def write_scale_bar(path: Path, source: ImageSource, bar: ScaleBar) -> None:
    """Write a picture of what was read: the surroundings of the bar, frames around its line and text, the reading.

    Args:
        path: of a PNG file.
        source: that the bar was found in.
        bar: of `find_scale_bar`.

    Raises:
        UserError: the pixels can't be read.
    """
    whole = bar.line.around(bar.label)
    margin = whole.height + _MARGIN
    top, left = max(0, whole.top - margin), max(0, whole.left - margin)
    bottom, right = min(source.shape[0], whole.bottom + margin), min(source.shape[1], whole.right + margin)
    grey = source.read(top, left, bottom - top, right - left).astype(np.float32)
    grey = (grey - grey.min()) / max(float(np.ptp(grey)), 1e-12)
    font = ImageFont.load_default(size=_MARGIN)
    wide = max(right - left, round(font.getlength(bar.describe())) + _MARGIN)
    picture = Image.new("RGB", (wide, bottom - top + 2 * _MARGIN), "white")
    picture.paste(Image.fromarray(np.uint8(255 * grey)))
    draw = ImageDraw.Draw(picture)
    for box, colour in ((bar.line, "red"), (bar.label, "blue")):
        frame = box.left - left - 3, box.top - top - 3, box.right - left + 2, box.bottom - top + 2
        draw.rectangle(frame, outline=colour)
    draw.text((_MARGIN // 2, bottom - top + _MARGIN // 2), bar.describe(), fill="black", font=font)
    with atomic_path(path) as temporary:
        picture.save(temporary, "PNG")


def scale_doubt(bar: ScaleBar, acquisition: Acquisition) -> str | None:
    """What is odd where the file says another pixel size than the bar; None where they agree, or it says none."""
    size = acquisition.pixel_size_nm
    if size is None or abs(bar.nm_per_pixel / size[1] - 1) <= _TAGS_DIFFER:
        return None
    source = acquisition.sources.get("pixel_size", "stored")
    return (
        f"the scale bar says {bar.describe()}, but the file {size[1]:.4g} nm ({source}): it was "
        "rescaled or cropped afterwards, or the bar was misread"
    )


def read_scale_bar(image: np.ndarray, bar_height: int = 0) -> ScaleBar | None:
    """Read the scale bar of an image.

    The line must have the form of a bar of ZEISS, Thermo Fisher, JEOL, Hitachi or TESCAN: plain, hollow, with ticks,
    broken by its text, or dots; the text is a round number and a unit, next to the line. Text is read twice, from
    two pictures. Of a box around a bar and its text, the edges are left out.

    Args:
        image: grey values (H, W).
        bar_height: rows of the info bar at its lower border, where it is looked for first; 0 for none.

    Returns:
        None where there is none, or two that contradict each other, or the text is not certain.
    """
    regions = [image[-bar_height:]] if bar_height else []
    for region in [*regions, image]:
        bars = _without_frames(_bars_in(region))
        if bars:
            first, down = bars[0], len(image) - len(region)  # at the level with most of the line
            if any(abs(bar.nm_per_pixel / first.nm_per_pixel - 1) > _SAME for bar in bars):
                return None
            return replace(first, line=first.line.moved(down), label=first.label.moved(down))
    return None


def _bars_in(region: np.ndarray) -> list[ScaleBar]:
    found: list[tuple[ScaleLine, ScaleBar]] = []
    for ink in inks(region):
        for line in scale_lines(ink)[:_MOST_LINES]:
            if any(_is_part(line, other, bar) for other, bar in found):
                continue
            bar = _bar_of(ink, line)
            if bar is not None:
                found.append((line, bar))
    return [bar for _, bar in found]


def _is_part(line: ScaleLine, other: ScaleLine, bar: ScaleBar) -> bool:
    """Whether a line is one that was read at a lower level, or a half of it."""
    inside = bar.line.around(bar.label).holds(line.box)
    return inside and (other.gap is not None or abs(line.pixels - other.pixels) <= 1)


def _without_frames(bars: list[ScaleBar]) -> list[ScaleBar]:
    """Bars that are not an edge of the box that another one stands in, with the same text."""
    return [bar for bar in bars if not any(_frames(bar, other) for other in bars)]


def _frames(frame: ScaleBar, bar: ScaleBar) -> bool:
    wider = frame.line.left + 3 <= bar.line.left and bar.line.right <= frame.line.right - 3
    around = bar.line.around(bar.label)
    outside = frame.line.top < around.top or frame.line.bottom > around.bottom
    same_text = abs(frame.label.top - bar.label.top) <= 3 and abs(frame.label.left - bar.label.left) <= 3
    return wider and outside and same_text


def _bar_of(ink: Ink, line: ScaleLine) -> ScaleBar | None:
    label = label_of(ink, line)
    if label is None:
        return None
    bar = ScaleBar(label.length, label.unit, line.pixels, label.certainty, line.box, label.box, label.text)
    return bar if _SMALLEST_FIELD <= bar.nm_per_pixel * ink.grey.shape[1] <= _LARGEST_FIELD else None
