from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pipeline.engine import BlockCounts
from pipeline.measure.porosity import bootstrap_interval, field_side, measure_porosity
from pipeline.tiling.chunk_plan import ChunkPlan


def entries_of(plan: ChunkPlan, mask: np.ndarray, rock: np.ndarray) -> dict[int, BlockCounts]:
    entries = {}
    for index in range(len(plan)):
        c = plan[index]
        starts = [(y, x) for y in range(c.y, c.y + c.height, plan.block) for x in range(c.x, c.x + c.width, plan.block)]
        columns = -(-c.width // plan.block)
        sums = [
            np.reshape([a[c.slice, y : y + plan.block, x : x + plan.block].sum() for y, x in starts], (-1, columns))
            for a in (mask & rock, rock)
        ]
        entries[index] = BlockCounts(*sums)
    return entries


def test_porosity_is_that_of_the_pixels() -> None:
    plan = ChunkPlan(150, 117, depth=2, chunk=32, block=16)
    random = np.random.default_rng(0)
    mask, rock = random.random(plan.shape) < 0.2, random.random(plan.shape) < 0.9
    rock[:, 64:128, 0:64] = False
    result = measure_porosity(plan, entries_of(plan, mask, rock))
    assert result.rock == rock.sum()
    assert result.pore == (mask & rock).sum()
    assert result.porosity == pytest.approx((mask & rock).sum() / rock.sum())
    assert result.field == 16
    assert result.fields.shape == (2, 10, 8)
    assert np.isnan(result.fields[:, 4:8, 0:4]).all()
    part = np.s_[1, 144:150, 112:117]
    assert result.fields[1, 9, 7] == pytest.approx((mask & rock)[part].sum() / rock[part].sum())
    assert result.low < result.porosity < result.high


def test_interval_of_many_equal_fields_is_that_of_the_mean() -> None:
    """With equal areas the ratio is a mean, whose interval the central limit theorem gives."""
    pore = np.random.default_rng(0).integers(0, 1000, (20, 20))
    low, high = bootstrap_interval(pore, np.full(pore.shape, 10000))
    half = 1.96 * pore.std() / 1e4 / math.sqrt(pore.size)
    assert (low, high) == pytest.approx((pore.mean() / 1e4 - half, pore.mean() / 1e4 + half), abs=half / 10)


def test_interval_of_few_unequal_fields_is_that_of_all_their_draws() -> None:
    pore, rock = np.array([0, 10, 40, 100]), np.array([300, 100, 200, 100])
    draws = [pore[list(drawn)].sum() / rock[list(drawn)].sum() for drawn in itertools.product(range(4), repeat=4)]
    assert bootstrap_interval(pore, rock) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))


def test_interval_is_the_same_each_time_and_leaves_empty_fields_out() -> None:
    pore, rock = np.array([10, 0, 30, 20]), np.array([100, 0, 100, 100])
    assert bootstrap_interval(pore, rock) == bootstrap_interval(pore[rock > 0], rock[rock > 0])


def test_no_interval_from_one_field_and_no_porosity_without_rock() -> None:
    plan = ChunkPlan(16, 16, chunk=16, block=16)
    empty = np.zeros(plan.shape, bool)
    result = measure_porosity(plan, entries_of(plan, ~empty, ~empty))
    assert result.porosity == 1
    assert math.isnan(result.low)
    assert math.isnan(measure_porosity(plan, entries_of(plan, empty, empty)).porosity)


def test_side_of_a_field() -> None:
    assert field_side(ChunkPlan(1000, 1000)) == 256
    side = field_side(ChunkPlan(32768, 32768))
    assert (32768 // side) ** 2 >= 30 > (32768 // (2 * side)) ** 2


def test_fields_are_doubled_as_long_as_there_are_thirty() -> None:
    assert field_side(ChunkPlan(5 * 512, 6 * 512)) == 512
    assert field_side(ChunkPlan(5 * 512, 6 * 512 - 1)) == 256


def test_near_copies_of_a_slice_make_the_interval_no_narrower() -> None:
    """Six slices that lie within a field's width show one rock; six that lie far apart show six."""
    mask = np.random.default_rng(0).random((1, 64, 64)) < 0.2
    mask[:, :32] &= mask[:, ::-1][:, :32]

    def interval(depth: int, spacing: float) -> tuple[float, float]:
        plan = ChunkPlan(64, 64, depth=depth, chunk=32, block=16)
        full = np.ones(plan.shape, bool)
        result = measure_porosity(plan, entries_of(plan, mask & full, full), spacing=spacing)
        assert result.drawn == 16 * (1 if spacing == 1 else depth)
        return result.low, result.high

    one = interval(1, 1)
    assert interval(6, 1) == pytest.approx(one)
    low, high = interval(6, 100)
    assert high - low == pytest.approx((one[1] - one[0]) / np.sqrt(6), rel=0.15)


def test_missing_chunks_are_refused() -> None:
    plan = ChunkPlan(64, 64, chunk=32, block=16)
    with pytest.raises(ValueError, match="4 of 4"):
        measure_porosity(plan, {})
