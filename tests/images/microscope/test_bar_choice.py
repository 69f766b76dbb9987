from __future__ import annotations

import logging

import numpy as np
import pytest

from pipeline.errors import FileProblem, UserError
from pipeline.images.microscope import Acquisition, rows_without_bar
from pipeline.synthetic import generate
from tests.images.microscope.bars import boxes

ROCK = generate((200, 320), 0).image
IMAGE = np.vstack([ROCK, boxes(40, 320, 0, 255)])


def height(choice: str | int, image: np.ndarray, stated: int | None = None) -> int:
    """The height of an image's info bar, as chosen and as its file states it."""

    def read(top: int, left: int, height: int, width: int) -> np.ndarray:
        assert height < 200  # a part is enough
        return image[top : top + height, left : left + width]

    first, stop = rows_without_bar(choice, read, image.shape, Acquisition(bar_height=stated), "a.tif")
    assert first == 0
    return len(image) - stop


def test_choices() -> None:
    assert height("keep", IMAGE, 40) == 0
    assert height("auto", IMAGE) == 40
    assert height("AUTO", IMAGE) == 40
    assert height("auto", ROCK) == 0
    assert height("17", IMAGE) == height(17, IMAGE) == 17


def test_a_bar_that_the_file_denies_is_found_by_its_look() -> None:
    assert height("auto", IMAGE, 0) == 40
    assert height("auto", ROCK, 0) == 0


def test_what_the_file_states_goes_before_the_look() -> None:
    assert height("auto", IMAGE, 38) == 38


def test_a_bar_that_was_cut_off_before_is_not_cut_off_again(caplog: pytest.LogCaptureFixture) -> None:
    """The metadata stay when another program crops the image."""
    with caplog.at_level(logging.WARNING, "vlsenet"):
        assert height("auto", ROCK, 40) == 0
    assert "40 rows" in caplog.text


def test_a_bar_of_another_height_than_the_file_states_is_found_by_its_look() -> None:
    assert height("auto", IMAGE, 80) == 40


def test_rows_that_cannot_be_read_are_no_bar() -> None:
    def read(*_: int) -> np.ndarray:
        raise FileProblem("a.tif", "it is damaged", "copy it again")

    assert rows_without_bar("auto", read, IMAGE.shape, Acquisition(bar_height=40)) == (0, len(IMAGE))
    assert rows_without_bar(17, read, IMAGE.shape, Acquisition()) == (0, len(IMAGE) - 17)


def test_a_bar_on_top_is_named() -> None:
    rows = rows_without_bar("top:40", lambda *_: IMAGE, IMAGE.shape, Acquisition())
    assert rows == rows_without_bar(" TOP:40", lambda *_: IMAGE, IMAGE.shape, Acquisition()) == (40, len(IMAGE))


@pytest.mark.parametrize(
    "choice", ["no", "-3", "4.5", "", "240", 1000, "٣", "top:", "top:-3", "top:240", "top:٣", "40:top", True]
)
def test_other_choices_are_refused(choice: str | int) -> None:
    with pytest.raises(UserError, match="--info_bar"):
        height(choice, IMAGE)


@pytest.mark.parametrize("shape", [(1, 1), (240, 320), (5000, 40), (70_000, 30_000)])
def test_reading_the_bottom(shape: tuple[int, int]) -> None:
    asked = []

    def read(top: int, left: int, height: int, width: int) -> np.ndarray:
        asked.append((top, left, height, width))
        return np.empty((1, 0))

    rows_without_bar("auto", read, shape, Acquisition())
    (top, left, height, width), upper = asked
    assert (top + height, left, width) == (shape[0], 0, shape[1])
    assert upper == (0, 0, height, width)
    assert 0 < height <= 1024
    assert height * width <= 1 << 26
