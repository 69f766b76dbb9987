from __future__ import annotations

import numpy as np
import pytest

from pipeline.foreground.intensity import Intensity


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pooled_parts_equal_the_whole(dtype):
    rng = np.random.default_rng(0)
    whole = (rng.gamma(2.0, 20.0, (90, 70)) % 250).astype(dtype)
    parts = [whole[:13], whole[13:40, :20], whole[13:40, 20:], whole[40:]]
    pooled = Intensity.pooled(map(Intensity.of, parts))
    assert pooled.pixels == whole.size
    assert pooled.mean == pytest.approx(whole.astype(np.float64).mean())
    assert pooled.std == pytest.approx(whole.astype(np.float64).std())


def test_a_constant_image_has_no_spread():
    assert Intensity.of(np.full((8, 8), 65535, np.uint16)) == Intensity(64, 65535.0, 0.0)
