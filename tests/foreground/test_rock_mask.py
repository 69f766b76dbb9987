"""Blank ground at the network's scale, against what its pixels are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.foreground.blank_edge import trace_blank_ground
from pipeline.foreground.cell_statistics import measure_cells
from pipeline.foreground.rock_mask import RockMask, Scale
from pipeline.tiling.windows import axis_weights, resampled, scaled_length
from tests.images.arrays import ArraySource

BLANK = np.pad(np.zeros((150, 170), bool), ((37, 52), (43, 61)), constant_values=True)
SCALES = [(1.0, 1.0), (0.37, 0.6), (2.0, 1.5), (4.3, 4.3)]


@pytest.fixture(scope="module")
def rock_map() -> RockMask:
    image = np.where(BLANK, 0, np.random.default_rng(0).integers(60, 250, BLANK.shape)).astype(np.uint8)
    source = ArraySource(image)
    blank = trace_blank_ground(source, measure_cells(source))
    return replace(RockMask.everywhere(BLANK.shape), blank=blank)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("scale", SCALES)
def test_a_window_is_empty_only_if_all_pixels_are_blank_that_it_shows_a_part_of(
    rock_map: RockMask, scale: Scale, axis: int
) -> None:
    begin, end = np.flatnonzero(~BLANK.all(1 - axis))[[0, -1]]
    corner = [int(side / 2 * factor) for side, factor in zip(BLANK.shape, scale, strict=True)]
    for start in range(scaled_length(BLANK.shape[axis], scale[axis]) - 8):
        corner[axis] = start
        first, last = start / scale[axis], (start + 8) / scale[axis]
        empty = rock_map.is_empty_at(scale, *corner, 8, 8)
        if first < end + 1 and last > begin:
            assert not empty
        if first - 1 >= end + 1 or last + 1 <= begin:
            assert empty


@pytest.mark.parametrize("scale", SCALES)
def test_no_pixel_that_is_mixed_with_blank_ground_counts_as_imaged(rock_map: RockMask, scale: Scale) -> None:
    shape = [scaled_length(side, factor) for side, factor in zip(BLANK.shape, scale, strict=True)]
    (_, _, down), (_, _, across) = (
        axis_weights(0, count, factor, side) for count, factor, side in zip(shape, scale, BLANK.shape, strict=True)
    )
    mixed = resampled(BLANK.astype(np.float32), down, across) > 1e-6
    imaged = rock_map.imaged_at(scale, 0, 0, *shape)
    assert imaged is not None
    assert not (imaged & mixed).any()
    assert imaged.sum() > 0.9 * (~mixed).sum()
    for top in range(0, shape[0] - 9, 7):  # a part of it is answered alike, whatever lies beside it
        left = top * shape[1] // shape[0]
        part = rock_map.imaged_at(scale, top, left, 9, 9)
        np.testing.assert_array_equal(True if part is None else part, imaged[top : top + 9, left : left + 9])
