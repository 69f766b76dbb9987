from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from skimage.measure import regionprops

from pipeline.measure.pores_2d.moments import (
    AREA,
    COLUMN,
    COLUMN_COLUMN,
    ROW,
    ROW_COLUMN,
    ROW_ROW,
    SUMS,
    centroid,
    ellipses,
    moved,
)


def sums_of(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(1, `SUMS`) of pixels, as Python's integers."""
    rows, columns = rows.astype(object), columns.astype(object)
    sums = np.zeros((1, SUMS), object)
    for name, values in (
        (AREA, rows * 0 + 1),
        (ROW, rows),
        (COLUMN, columns),
        (ROW_ROW, rows * rows),
        (ROW_COLUMN, rows * columns),
        (COLUMN_COLUMN, columns * columns),
    ):
        sums[0, name] = values.sum()
    return sums


def rectangle(height: int, width: int) -> np.ndarray:
    """Sums of a solid rectangle in closed form."""
    row, column = height * (height - 1) // 2, width * (width - 1) // 2
    squares = [side * (side - 1) * (2 * side - 1) // 6 for side in (height, width)]
    sums = np.zeros((1, SUMS), object)
    sums[0, : COLUMN_COLUMN + 1] = (
        height * width,
        row * width,
        column * height,
        squares[0] * width,
        row * column,
        squares[1] * height,
    )
    return sums


def test_a_pore_beyond_64_bits() -> None:
    height, width = 400_000, 1_000_000
    sums = rectangle(height, width)
    assert sums[0, AREA] * sums[0, COLUMN_COLUMN] > 2**64
    found = ellipses(sums)
    assert found.major[0] == pytest.approx(4 * np.sqrt((width**2 - 1) / 12), rel=1e-14)
    assert found.minor[0] == pytest.approx(4 * np.sqrt((height**2 - 1) / 12), rel=1e-14)
    assert found.orientation[0] == 0
    assert centroid(sums, np.array([7]), COLUMN)[0] == 7 + (width - 1) / 2


def test_a_pore_whose_sums_fit_64_bits_and_their_products_do_not() -> None:
    height, width = 20_000, 30_000
    sums = rectangle(height, width)
    assert max(sums[0]) < 2**63 < sums[0, AREA] * sums[0, ROW_ROW]
    found = ellipses(sums.astype(np.int64))
    assert found.major[0] == pytest.approx(4 * np.sqrt((width**2 - 1) / 12), rel=1e-14)
    assert found.minor[0] == pytest.approx(4 * np.sqrt((height**2 - 1) / 12), rel=1e-14)
    assert found.orientation[0] == 0


def test_python_integers_and_64_bits_give_the_same_bits() -> None:
    random = np.random.default_rng(0)
    parts = [sums_of(*np.nonzero(random.random(random.integers(1, 40, 2)) < 0.5)) for _ in range(200)]
    sums = np.concatenate([part for part in parts if part[0, AREA]])
    corner = np.arange(len(sums))
    for ours, theirs in zip(ellipses(sums), ellipses(sums.astype(np.int64)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(centroid(sums, corner, ROW), centroid(sums.astype(np.int64), corner, ROW))


def test_a_long_thin_line_keeps_its_width() -> None:
    """A line that rises by one pixel in two; its short axis from fractions, without any rounding but the last."""
    columns = np.arange(60_000)
    sums = sums_of(columns // 2, columns)
    area, row, column, row_row, row_column, column_column = (Fraction(int(value)) for value in sums[0, :6])
    v_x, v_y = column_column / area - (column / area) ** 2, row_row / area - (row / area) ** 2
    c = row_column / area - row * column / area**2
    trace, determinant = v_x + v_y, v_x * v_y - c * c
    # the smaller root of t² - trace t + determinant, by its series in determinant / trace²
    ratio = determinant / trace**2
    smaller = trace * (ratio + ratio**2 + 2 * ratio**3)
    assert ellipses(sums).minor[0] == pytest.approx(4 * float(smaller) ** 0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("rows", "columns", "angle"),
    [
        ([0, 0, 0], [0, 1, 2], 0),
        ([0, 1, 2], [0, 0, 0], 90),
        ([0, 1, 2], [2, 1, 0], 45),  # rises to the right on the screen
        ([0, 1, 2], [0, 1, 2], -45),
        ([0, 0, 1, 1], [0, 1, 0, 1], np.nan),
        ([0], [0], np.nan),
    ],
)
def test_orientation_is_counter_clockwise_on_the_screen(rows: list[int], columns: list[int], angle: float) -> None:
    assert ellipses(sums_of(np.array(rows), np.array(columns))).orientation[0] == pytest.approx(angle, nan_ok=True)


def test_moved_sums_are_those_of_moved_pixels() -> None:
    rows, columns = np.nonzero(np.random.default_rng(0).random((9, 14)) < 0.4)
    found = moved(sums_of(rows, columns), np.array([5]), np.array([11]))
    np.testing.assert_array_equal(found, sums_of(rows + 5, columns + 11))


def test_axes_are_those_of_scikit_image() -> None:
    mask = np.zeros((60, 80), np.uint8)
    rows, columns = np.indices(mask.shape)
    mask[((rows - 30) * 0.9 + (columns - 40) * 0.5) ** 2 / 80 + ((columns - 40) * 0.9) ** 2 / 600 < 1] = 1
    expected = regionprops(mask)[0]
    found = ellipses(sums_of(*np.nonzero(mask)))
    assert found.major[0] == pytest.approx(expected.axis_major_length, rel=1e-12)
    assert found.minor[0] == pytest.approx(expected.axis_minor_length, rel=1e-12)
