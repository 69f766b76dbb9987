from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tiling.windows import Rescaled, axis_weights, resampled
from tests.images.arrays import ArraySource

IMAGE = np.random.default_rng(0).normal(100, 30, (90, 140)).astype(np.float32)


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0, 2.0, 3.0])
def test_whole_images_as_torch_resizes_them(scale: float) -> None:
    """At scales that divide the sides, so that torch's grid, fitted to the sides, is the same."""
    image = IMAGE[:88]
    size = tuple(int(side * scale) for side in image.shape)
    (_, _, down), (_, _, across) = (axis_weights(0, n, scale, side) for n, side in zip(size, image.shape, strict=True))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None, None], size=size, mode="bilinear", antialias=True, align_corners=False
    )[0, 0].numpy()
    inside = slice(4, -4)  # torch leaves out what lies beyond the border, and repeats nothing
    np.testing.assert_allclose(resampled(image, down, across)[inside, inside], expected[inside, inside], atol=5e-3)


@given(st.floats(0.2, 4), st.integers(0, 30), st.integers(0, 30), st.integers(1, 40), st.integers(1, 40))
def test_a_window_is_the_same_part_of_the_whole(scale: float, top: int, left: int, height: int, width: int) -> None:
    shape = round(IMAGE.shape[0] * scale), round(IMAGE.shape[1] * scale)
    source = Rescaled(ArraySource(IMAGE), (scale, scale), shape)
    height, width = min(height, shape[0]), min(width, shape[1])
    top, left = min(top, shape[0] - height), min(left, shape[1] - width)
    whole = source.read(0, 0, *shape)
    np.testing.assert_allclose(source.read(top, left, height, width), whole[top:, left:][:height, :width], atol=1e-3)


def test_a_ramp_stays_a_ramp_in_the_same_place() -> None:
    """Coordinates: a linear function of place is kept exactly by interpolation, away from the ends."""
    ramp = np.arange(200, dtype=np.float32)
    for scale in (0.31, 0.5, 1.7):
        count = int(200 * scale)
        _, _, matrix = axis_weights(0, count, scale, 200)
        places = (np.arange(count) + 0.5) / scale - 0.5
        inner = (places > 5) & (places < 194)
        np.testing.assert_allclose((matrix @ ramp)[inner], places[inner], atol=1e-3 if scale > 1 else 0.05)
