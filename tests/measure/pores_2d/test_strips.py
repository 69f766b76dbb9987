from __future__ import annotations

import numpy as np
import pytest

from pipeline.measure.pores_2d import strips as module
from pipeline.measure.pores_2d.strips import strips


@pytest.mark.parametrize("bands", [[1] * 13, [13], [2, 1, 7, 3], [6, 7]])
@pytest.mark.parametrize("pixels", [11, 40, 1 << 20])
def test_strips_are_the_slice_with_its_context(bands: list[int], pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIXELS", pixels)
    random = np.random.default_rng(0)
    mask, probability = random.integers(0, 2, (13, 11), np.uint8) * 255, random.integers(0, 256, (13, 11), np.uint8)
    ends = np.cumsum(bands)
    cut = [(mask[end - rows : end], probability[end - rows : end]) for rows, end in zip(bands, ends, strict=True)]
    padded = np.pad(mask > 0, ((2, 2), (1, 1)))
    next_row = 0
    for strip in strips(cut, 11):
        rows = len(strip.probability)
        assert strip.top == next_row
        assert rows * 11 <= max(pixels, 11) + 2 * 11
        np.testing.assert_array_equal(strip.mask, padded[next_row : next_row + rows + 4])
        np.testing.assert_array_equal(strip.probability, probability[next_row : next_row + rows])
        next_row += rows
    assert next_row == 13
