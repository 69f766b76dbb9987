"""Scale bars as makers draw them: almost all are read, none wrongly, and what is no bar is not taken for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pipeline.images import open_image
from pipeline.images.microscope import Acquisition
from pipeline.images.microscope.ink import Box, inks
from pipeline.images.microscope.scale_bar import ScaleBar, find_scale_bar, read_scale_bar, scale_doubt, write_scale_bar
from pipeline.images.microscope.scale_lines import ScaleLine, scale_lines
from pipeline.images.microscope.text_recognition import can_read_text
from tests.images.microscope.drawn_bars import STYLES, draw_bar
from tests.paths import SHARED

reads_text = pytest.mark.skipif(not can_read_text(), reason="the extra scale_bar (rapidocr, onnxruntime) is missing")


def read_and_true(style: str, seeds: range) -> Iterator[tuple[ScaleBar | None, float]]:
    """What is read of drawn bars, and their pixel size; a wrong reading fails at once."""
    for seed in seeds:
        drawn = draw_bar(style, seed)
        bar = read_scale_bar(drawn.image, drawn.bar_height)
        if bar is not None:
            wrong = (
                f"{style} {seed}: {drawn.text!r}, {drawn.about}: read {bar.describe()}, not {drawn.nm_per_pixel:.5g}"
            )
            assert bar.nm_per_pixel == pytest.approx(drawn.nm_per_pixel, rel=0.02), wrong
        yield bar, drawn.nm_per_pixel


@reads_text
@pytest.mark.parametrize("style", STYLES)
def test_bars_of_each_style_are_read(style: str) -> None:
    readings = [bar for bar, _ in read_and_true(style, range(2))]
    assert any(bar is not None for bar in readings)


@reads_text
@pytest.mark.slow
def test_nine_of_ten_are_read_and_none_wrongly() -> None:
    readings = [bar for style in STYLES for bar, _ in read_and_true(style, range(300, 324))]
    assert len(readings) >= 200
    assert sum(bar is not None for bar in readings) >= 0.9 * len(readings)


def page(texts: dict[tuple[int, int], str], *lines: tuple[int, int, int, int], size: int = 18) -> np.ndarray:
    """White text, each in the middle of its place, and bars (left, top, right, bottom) on black (120, 600)."""
    image = Image.new("L", (600, 120), 0)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for place, text in texts.items():
        draw.text(place, text, 255, font, anchor="mm")
    for left, top, right, bottom in lines:
        draw.rectangle([left, top, right - 1, bottom - 1], fill=255)
    return np.asarray(image)


BAR = (100, 60, 300, 64)
ABOVE = (200, 40)


@reads_text
@pytest.mark.parametrize(
    ("text", "nm"),
    [("2 um", 10), ("500 nm", 2.5), ("1 mm", 5000), ("2.5 um", 12.5), ("50.0um", 250), ("15kV X10,000 2um", 10)],
)
def test_lengths_and_units(text: str, nm: float) -> None:
    bar = read_scale_bar(page({ABOVE: text}, BAR))
    assert bar is not None
    assert (bar.pixels, bar.nm_per_pixel) == (pytest.approx(200, abs=0.1), pytest.approx(nm, rel=1e-3))
    assert bar.line == Box(60, 100, 64, 300)
    assert bar.label.top < 40 < bar.label.bottom < 60


@reads_text
@pytest.mark.parametrize(
    "image",
    [
        page({ABOVE: "7.3 um"}, BAR),  # not round
        page({ABOVE: "WD 10 mm"}, BAR),
        page({ABOVE: "5.0 mm"}, BAR),  # a working distance whose name stands above it
        page({ABOVE: "HFW = 20 um"}, BAR),
        page({ABOVE: "20 kV"}, BAR),
        page({ABOVE: "2"}, BAR),
        page({ABOVE: "50 mm"}, BAR),  # no microscope sees 15 cm
        page({}, BAR),
        page({ABOVE: "2 um"}),
        page({ABOVE: "2 um"}, (180, 60, 220, 64)),  # a pixel more or less would be 2.5 %
        page({(500, 40): "2 um"}, BAR),  # far away
        page({ABOVE: "2 um"}, (0, 60, 600, 62)),  # a border
        page({ABOVE: "2 um", (450, 40): "5 um"}, BAR, (400, 60, 500, 64)),  # 10 and 50 nm
        page({ABOVE: "2 um"}, (100, 25, 300, 26), (100, 55, 300, 56), (100, 25, 101, 56), (299, 25, 300, 56)),  # a box
        np.zeros((120, 600), np.uint8),
    ],
)
def test_nothing_is_said_where_it_is_not_certain(image: np.ndarray) -> None:
    assert read_scale_bar(image) is None


@reads_text
def test_numbers_of_any_depth() -> None:
    image = page({ABOVE: "2 um"}, BAR)
    for other in (image.astype(np.uint16) * 257, image.astype(np.float32) / 255, 255 - image):
        bar = read_scale_bar(other)
        assert bar is not None
        assert bar.nm_per_pixel == pytest.approx(10, rel=1e-3)


@reads_text
def test_a_box_around_bar_and_text_is_no_bar() -> None:
    image = page({ABOVE: "2 um"}, BAR, (60, 10, 340, 12), (60, 90, 340, 92))
    bar = read_scale_bar(image)
    assert bar is not None
    assert bar.nm_per_pixel == pytest.approx(10, rel=1e-3)


@reads_text
@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["vendor_tiff/zeiss.tif", "vendor_tiff/thermo_fei.tif", "shale_stack/shale_for_alignment10.png"]
)
def test_micrographs_without_a_bar_have_none(name: str) -> None:
    with open_image(SHARED / name) as source:
        assert find_scale_bar(source) is None


def lines_of(image: np.ndarray) -> list[ScaleLine]:
    """The lines of a white pen, at the lowest level."""
    return scale_lines(next(inks(image)))


@pytest.mark.parametrize(("first", "last"), [(0.0, 0.0), (0.3, 0.0), (0.5, 0.5), (0.9, 0.2)])
def test_ends_are_found_to_parts_of_a_pixel(first: float, last: float) -> None:
    """A pixel that is covered in part has a part of the pen's level."""
    image = np.zeros((40, 200))
    image[20:24, 50:150] = 1
    image[20:24, 49], image[20:24, 150] = first, last
    (line,) = lines_of(image)
    assert line.pixels == pytest.approx(100 + first + last, abs=0.12)


def test_ticks_and_dots_count_from_middle_to_middle() -> None:
    image = np.zeros((60, 300))
    image[20, 50:171] = 1
    image[14:27, [50, 170]] = 1
    (ticks,) = lines_of(image)
    assert ticks.pixels == pytest.approx(120, abs=0.05)
    image = np.zeros((60, 300))
    for x in range(40, 241, 20):
        image[20:24, x : x + 3] = 1
    (dots,) = lines_of(image)
    assert dots.pixels == pytest.approx(200, abs=0.05)


@pytest.mark.parametrize(("last", "is_bar"), [(0.0, True), (0.25, False)])
def test_a_row_whose_last_dot_is_too_pale_is_no_bar(last: float, is_bar: bool) -> None:
    image = np.zeros((60, 300))
    for x in range(40, 241, 20):
        image[20:24, x : x + 3] = last if x == 240 else 0.5
    image[50:55, 5:10] = 1
    assert len(lines_of(image)) == is_bar


@pytest.mark.parametrize(("pale", "is_bar"), [(0.0, True), (0.2, False), (0.34, False)])
def test_a_piece_of_a_longer_line_is_no_bar(pale: float, is_bar: bool) -> None:
    image = np.zeros((60, 400))
    image[20:23] = pale
    image[20:23, 100:200] = 0.6
    image[50:55, 5:10] = 1
    assert len(lines_of(image)) == is_bar


def test_the_picture_shows_where_it_was_read(tmp_path: Path) -> None:
    Image.fromarray(page({ABOVE: "2 um"}, BAR)).save(tmp_path / "a.png")
    bar = ScaleBar(2, "um", 200, 0.9, Box(60, 100, 64, 300), Box(30, 170, 50, 230), "2 um")
    with open_image(tmp_path / "a.png") as source:
        write_scale_bar(tmp_path / "out" / "bar.png", source, bar)
    picture = np.asarray(Image.open(tmp_path / "out" / "bar.png")).astype(int)
    rows, columns = np.nonzero((picture == (255, 0, 0)).all(axis=2))
    assert (np.ptp(rows), np.ptp(columns)) == (64 - 60 + 5, 300 - 100 + 5)
    inside = picture[rows.min() + 3 : rows.max() - 2, columns.min() + 3 : columns.max() - 2]
    assert (inside == 255).all()  # the bar itself
    assert (picture == (0, 0, 255)).all(axis=2).any()


@pytest.mark.parametrize(("file_nm", "doubted"), [(None, False), (10.0, False), (10.2, False), (5.0, True)])
def test_the_file_is_contradicted_where_it_says_another_size(file_nm: float | None, doubted: bool) -> None:
    bar = ScaleBar(2, "um", 200, 0.9, Box(0, 0, 4, 200), Box(10, 80, 30, 120), "2 um")
    doubt = scale_doubt(bar, Acquisition(file_nm, file_nm, sources={"pixel_size": "ZEISS tag"}))
    assert (doubt is not None) == doubted
    if doubt is not None:
        assert all(said in doubt for said in ("10 nm", "5 nm", "ZEISS tag", "2 um over 200 px", "rescaled"))
