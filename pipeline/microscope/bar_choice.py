"""How many rows of info bar are cut off an image, by the user's choice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.microscope.acquisition import Acquisition
from pipeline.microscope.info_bar import find_info_bar
from pipeline.microscope.reading import read_acquisition

log = logging.getLogger("vlsenet")

#: rows and pixels of a scan that are looked at for a bar; no bar is higher
_MOST_ROWS, _MOST_PIXELS = 1024, 1 << 26


def imaged_rows(image: np.ndarray, file: Path, choice: str | int = "auto") -> int:
    """How many rows of an image lie above its info bar.

    Args:
        image: grey values (H, W), as read from the file.
        file: the image's; it may tell the bar's height.
        choice: as for `info_bar_height`.

    Returns:
        H where there is no bar.

    Raises:
        UserError: the choice is not one of these, or leaves no image.
    """
    height = image.shape[0]
    bottom = read_bottom(lambda top, left, high, wide: image[top : top + high, left : left + wide], image.shape)
    return height - info_bar_height(choice, read_acquisition(file), bottom, height)


def info_bar_height(
    choice: str | int, acquisition: Acquisition | None, bottom: np.ndarray, image_height: int | None = None
) -> int:
    """The height of the info bar to cut off.

    Args:
        choice: `keep` cuts nothing; `auto` takes the height that the file tells, where the rows do look drawn, or else
            the look of the lowest rows; a number is the height (px).
        acquisition: what the image's file tells; None where nothing is known.
        bottom: grey values of the image's lower rows (h, W), as `read_bottom` gives them.
        image_height: rows of the whole image; those of `bottom` where left out.

    Returns:
        Rows to cut off at the lower border (px), 0 for none.

    Raises:
        UserError: the choice is not one of these, or leaves no image.
    """
    rows = image_height or len(bottom)
    text = str(choice).strip().lower()
    if text == "keep":
        return 0
    if text != "auto":
        if not (text.isascii() and text.isdigit()):
            raise UserError(f"--info_bar {choice}: must be keep, auto or a height in whole pixels, such as 60")
        if int(text) >= rows:
            raise UserError(f"--info_bar {choice} leaves nothing of an image of {rows} rows; give the bar's height")
        return int(text)
    stated = None if acquisition is None else acquisition.bar_height
    if stated is None:
        return find_info_bar(bottom, rows)
    if stated and not (stated <= len(bottom) and is_drawn(bottom[-stated:])):
        log.warning(
            "the file states an info bar of %d rows, but the lowest rows do not look like one: nothing is cut off; "
            "--info_bar PIXELS sets its height",
            stated,
        )
        return 0
    return stated


def is_drawn(strip: np.ndarray) -> bool:
    """Whether rows (h, W) are drawn and not imaged: neighbours are equal where there is no noise."""
    return strip.shape[1] > 1 and float(np.mean(strip[:, 1:] == strip[:, :-1])) >= 0.4


def read_bottom(read: Callable[[int, int, int, int], np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The lower rows of an image, as many as it takes to find an info bar: a third of the image at most.

    Args:
        read: of a `ScanSource`: (top, left, height, width) to grey values.
        shape: height and width of the image (px).

    Returns:
        Grey values (h, W).
    """
    height, width = shape
    rows = max(1, min(-(-height // 3) + 1, _MOST_ROWS, max(64, _MOST_PIXELS // max(1, width)), height))
    return read(height - rows, 0, rows, width)
