from __future__ import annotations

import logging

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.images.microscope import Acquisition, info_bar_height, read_bottom
from pipeline.synthetic import generate
from tests.images.microscope.bars import boxes

ROCK = generate((200, 320), 0).image
IMAGE = np.vstack([ROCK, boxes(40, 320, 0, 255)])


def test_choices() -> None:
    assert info_bar_height("keep", Acquisition(bar_height=40), IMAGE) == 0
    assert info_bar_height("auto", None, IMAGE) == 40
    assert info_bar_height("AUTO", Acquisition(), IMAGE) == 40
    assert info_bar_height("auto", None, ROCK) == 0
    assert info_bar_height("17", None, IMAGE) == info_bar_height(17, None, IMAGE) == 17


def test_what_the_file_tells_goes_before_the_look() -> None:
    assert info_bar_height("auto", Acquisition(bar_height=38), IMAGE) == 38
    assert info_bar_height("auto", Acquisition(bar_height=0), IMAGE) == 0


def test_a_bar_that_was_cut_off_before_is_not_cut_off_again(caplog: pytest.LogCaptureFixture) -> None:
    """The metadata stay when another program crops the image."""
    with caplog.at_level(logging.WARNING, "vlsenet"):
        assert info_bar_height("auto", Acquisition(bar_height=40), ROCK) == 0
    assert "40 rows" in caplog.text


@pytest.mark.parametrize("choice", ["no", "-3", "4.5", "", "240", 1000, "٣"])
def test_other_choices_are_refused(choice: str | int) -> None:
    with pytest.raises(UserError, match="--info_bar"):
        info_bar_height(choice, None, IMAGE)


@pytest.mark.parametrize("shape", [(1, 1), (240, 320), (5000, 40), (70_000, 30_000)])
def test_reading_the_bottom(shape: tuple[int, int]) -> None:
    asked = []

    def read(top: int, left: int, height: int, width: int) -> np.ndarray:
        asked.append((top, left, height, width))
        return np.empty((0, 0))

    read_bottom(read, shape)
    ((top, left, height, width),) = asked
    assert (top + height, left, width) == (shape[0], 0, shape[1])
    assert 0 < height <= 1024
    assert height * width <= 1 << 26


def test_the_bottom_that_is_read_is_enough() -> None:
    bottom = read_bottom(lambda top, left, height, width: IMAGE[top : top + height, left : left + width], IMAGE.shape)
    assert len(bottom) < len(IMAGE)
    assert info_bar_height("auto", None, bottom, len(IMAGE)) == 40
