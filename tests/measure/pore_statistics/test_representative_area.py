from __future__ import annotations

import numpy as np
import pytest

from pipeline.measure.pore_statistics.representative_area import representative_area


def test_spread_of_independent_blocks_falls_with_the_side() -> None:
    """Means of n independent numbers spread by 1 / sqrt(n), n the area."""
    pore = np.random.default_rng(0).binomial(100, 0.2, (1, 256, 256))
    found = representative_area(pore, np.full_like(pore, 100), block=10)
    expected = np.sqrt(0.2 * 0.8) / found.side
    trusted = found.count > 200
    np.testing.assert_allclose(found.spread[trusted], expected[trusted], rtol=0.2)
    np.testing.assert_allclose(found.mean[trusted], 0.2, atol=0.005)
    # sqrt(0.16) / side is a tenth of 0.2 at a side of 20 px
    assert found.representative_side in found.side
    assert 20 <= found.representative_side <= 40


def test_fields_by_hand() -> None:
    pore = np.arange(2 * 4 * 5).reshape(2, 4, 5)
    rock = np.full_like(pore, 50)
    rock[0, :2, :2] = 20  # 80 of 200 pixels
    found = representative_area(pore, rock, block=5 * 2**0.5, spacing=100)
    assert found.count.tolist() == [36, 7]
    fields = [
        pore[z, y : y + 2, x : x + 2].sum() / 200
        for z in (0, 1)
        for y in (0, 2)
        for x in (0, 2)
        if (z, y, x) != (0, 0, 0)
    ]
    assert found.mean[1] == pytest.approx(np.mean(fields))
    assert found.spread[1] == pytest.approx(np.std(fields, ddof=1))
    assert (found.low[1], found.high[1]) == (min(fields), max(fields))


def test_fields_count_from_the_half_of_them_that_is_rock_on() -> None:
    rock = np.array([[[100, 60, 50], [49, 80, 0]]])
    found = representative_area(rock * np.array([0.1, 0.2, 0.4]), rock, block=10)
    assert found.count.tolist() == [4]
    assert (found.low[0], found.high[0]) == pytest.approx((0.1, 0.4))
    assert found.mean[0] == pytest.approx((10 + 12 + 20 + 16) / (100 + 60 + 50 + 80))


def test_too_few_fields_give_no_point() -> None:
    found = representative_area(np.ones((1, 1, 3), int), np.full((1, 1, 3), 4), block=2)
    assert len(found.side) == 0
    assert np.isnan(found.representative_side)


def test_a_rock_of_two_halves_has_no_representative_side() -> None:
    pore = np.zeros((1, 16, 16), int)
    pore[:, :, 8:] = 50
    found = representative_area(pore, np.full_like(pore, 100), block=10)
    assert np.isnan(found.representative_side)


def test_near_copies_of_a_slice_are_no_further_fields() -> None:
    pore = np.random.default_rng(0).binomial(100, 0.2, (1, 12, 12))
    rock = np.full_like(pore, 100)
    one = representative_area(pore, rock, block=10)
    stack = representative_area(pore.repeat(4, axis=0), rock.repeat(4, axis=0), block=10, spacing=2.5)
    for name in ("side", "count", "mean", "spread"):
        np.testing.assert_allclose(getattr(stack, name), getattr(one, name), err_msg=name)
    far = representative_area(pore.repeat(4, axis=0), rock.repeat(4, axis=0), block=10, spacing=1e4)
    assert far.count.tolist()[: len(one.count)] == [4 * count for count in one.count]
