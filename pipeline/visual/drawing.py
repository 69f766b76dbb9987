"""What all pictures share: colours, names in figures, legends, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.font_manager import fontManager
from PIL import Image, ImageDraw, ImageFont

from pipeline.files import atomic_path
from pipeline.phase_colours import PORE_COLOUR, RGB

BLUE: RGB = (0, 114, 178)
VERMILLION: RGB = (213, 94, 0)
YELLOW: RGB = (240, 228, 66)

PORE = PORE_COLOUR
TRUE_POSITIVE = BLUE
FALSE_POSITIVE = VERMILLION
FALSE_NEGATIVE = YELLOW

#: What the colours of an error overlay mean.
ERROR_LEGEND: tuple[tuple[str, RGB], ...] = (
    ("true positive", TRUE_POSITIVE),
    ("false positive", FALSE_POSITIVE),
    ("false negative (missed)", FALSE_NEGATIVE),
)


def as_float(colour: RGB) -> tuple[float, float, float]:
    """A colour as Matplotlib takes it, 0 to 1."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


def write_png(path: str | Path, rgb: np.ndarray) -> None:
    """Write an 8-bit picture as PNG, atomically.

    Args:
        path: the file; its folder is made if missing.
        rgb: (H, W, 3) colour or (H, W) grey, uint8.

    Raises:
        ValueError: another shape or type, or a name that does not end in `.png`.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: a PNG file ends in .png")
    if rgb.dtype != np.uint8 or not (rgb.ndim == 2 or (rgb.ndim == 3 and rgb.shape[2] == 3)):
        raise ValueError(f"a picture is (H, W) or (H, W, 3) of uint8, not {rgb.shape} of {rgb.dtype}")
    with atomic_path(path) as temporary:
        Image.fromarray(rgb).save(temporary)


#: fonts with Chinese, Japanese and Korean letters, of which each system has some; Matplotlib's own font has none
_EAST_ASIAN = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Noto Sans JP",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans GB",
    "Hiragino Sans",
    "Heiti SC",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "SimHei",
    "Yu Gothic",
    "Meiryo",
    "Malgun Gothic",
    "Arial Unicode MS",
)


@contextmanager
def any_script() -> Iterator[None]:
    """Texts that are made meanwhile take letters that Matplotlib's font lacks from the fonts of the system.

    Also a decorator, for functions that make a figure.
    """
    installed = set(fontManager.get_font_names())
    families = ["sans-serif", *(name for name in _EAST_ASIAN if name in installed)]
    with matplotlib.rc_context({"font.family": families}):
        yield


def plain(name: str) -> str:
    """A name as Matplotlib shows it letter by letter: between two dollar signs it would expect a formula."""
    return name.replace("$", r"\$")


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
