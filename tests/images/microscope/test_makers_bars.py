"""Info bars of five makers, framed, inset, on top, rescaled and compressed, are found where they begin."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from pipeline.images.microscope import Acquisition, rows_without_bar
from pipeline.images.microscope.bar_by_look import find_info_bar
from pipeline.images.rectangles import Rows
from tests.images.microscope.makers_bars import MAKERS, Variant, with_bar


def texture(seed: int, shape: tuple[int, int] = (480, 640)) -> np.ndarray:
    """Noisy rock with dark pores, grey values (H, W), uint8."""
    rng = np.random.default_rng(seed)
    grey = gaussian_filter(rng.normal(size=shape), rng.uniform(1, 5))
    grey = 120 + rng.uniform(10, 40) * grey / grey.std() + rng.normal(0, rng.uniform(2, 15), shape)
    field = gaussian_filter(rng.normal(size=shape), rng.uniform(2, 8))
    pore = field > np.quantile(field, rng.uniform(0.7, 0.98))
    return np.uint8(np.clip(np.where(pore, rng.uniform(0, 40) + rng.normal(0, 5, shape), grey), 0, 255))


def found(image: np.ndarray, stated: int | None = None) -> Rows:
    def read(top: int, left: int, height: int, width: int) -> np.ndarray:
        return image[top : top + height, left : left + width]

    return rows_without_bar("auto", read, image.shape, Acquisition(bar_height=stated), "a.jpg")


def test_bars_at_random_are_found() -> None:
    """19 of 20 within 2 rows; a bar that is missed costs porosity, rows that are cut off beside it do not."""
    right = 0
    for seed in range(40):
        variant = Variant.drawn_by(np.random.default_rng(seed))
        image, rows = with_bar(texture(seed), variant, seed)
        got = found(image)
        right += max(abs(a - b) for a, b in zip(got, rows, strict=True)) <= 2
        assert got != (0, len(image)), variant
    assert right >= 38


@pytest.mark.parametrize("on_top", [False, True])
@pytest.mark.parametrize("white_on_black", [False, True])
@pytest.mark.parametrize("maker", MAKERS)
def test_each_makers_bar_as_it_was_drawn(maker: str, white_on_black: bool, on_top: bool) -> None:
    for frame in (None, 128):
        image, rows = with_bar(texture(1), Variant(maker, white_on_black, on_top, frame), 3)
        assert found(image) == rows


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("quality", [50, 95])
def test_each_makers_bar_after_jpeg(maker: str, quality: int) -> None:
    image, rows = with_bar(texture(2), Variant(maker, quality=quality), 4)
    got = found(image)
    assert got.first == 0
    assert abs(got.stop - rows[1]) <= 2


@pytest.mark.parametrize(("ground", "pen"), [(0, 255), (190, 20), (245, 0)])
def test_a_length_alone_is_found_as_it_was_drawn(ground: int, pen: int) -> None:
    strip = Image.new("L", (640, 44), ground)
    ImageDraw.Draw(strip).text((10, 12), "10 um", pen, ImageFont.load_default(18))
    assert found(np.vstack([texture(1), np.asarray(strip)])) == (0, 480)


def test_pictures_without_a_bar_have_none() -> None:
    for seed in range(20):
        image = texture(seed)
        for turned in (image, image[::-1], image.T, 255 - image):
            assert found(turned) == (0, len(turned))


@pytest.mark.parametrize("level", [0, 3, 252, 255])
def test_even_bands_are_no_bar(level: int) -> None:
    """Black ground around a sample, with dust on it; charging; the polished edge of resin."""
    rng = np.random.default_rng(0)
    for seed in range(6):
        image = texture(seed)
        edge = 400 + np.cumsum(rng.integers(-1, 2, image.shape[1])) * (seed % 2)
        image[np.arange(len(image))[:, None] > edge] = level
        for _ in range(30):
            top, left, side = rng.integers(405, 470), rng.integers(0, 630), rng.integers(2, 9)
            image[top : top + side, left : left + side] = rng.integers(80, 200)
        assert find_info_bar(image) == find_info_bar(image[::-1]) == 0


def test_what_the_file_states_is_cut_off_after_jpeg_too(caplog: pytest.LogCaptureFixture) -> None:
    """A bar without text that would be found by its look."""
    image = np.vstack([texture(0), np.full((30, 640), 8, np.uint8)])
    image[-20:-14, 400:500] = 250
    assert found(image) == (0, 510)
    assert found(image, 30) == (0, 480)
    assert not caplog.text
    assert found(image[:480], 30) == (0, 480)
    assert "a.jpg: its file states an info bar of 30 rows" in caplog.text
