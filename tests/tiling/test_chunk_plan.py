from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.tiling.chunk_plan import ChunkPlan


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 3), st.sampled_from([16, 32, 48]))
def test_each_pixel_lies_in_one_chunk(height: int, width: int, depth: int, side: int) -> None:
    plan = ChunkPlan(height, width, depth, chunk=side, block=16)
    covered = np.zeros(plan.shape, int)
    for index in range(len(plan)):
        chunk = plan[index]
        covered[chunk.slice, chunk.y : chunk.y + chunk.height, chunk.x : chunk.x + chunk.width] += 1
        assert (chunk.y, chunk.x) == (chunk.row * side, chunk.column * side)
    assert (covered == 1).all()


def test_chunks_start_at_the_corner_of_the_region() -> None:
    plan = ChunkPlan(100, 100, chunk=32, block=32, roi=Roi(7, 11, 40, 33))
    assert plan.shape == (1, 33, 40)
    assert [(c.y, c.x, c.height, c.width) for c in (plan[i] for i in range(len(plan)))] == [
        (0, 0, 32, 32),
        (0, 32, 32, 8),
        (32, 0, 1, 32),
        (32, 32, 1, 8),
    ]


def test_hash_names_the_plan() -> None:
    plan = ChunkPlan(100, 90)
    assert plan.hash == ChunkPlan(100, 90, roi=Roi(0, 0, 90, 100)).hash
    others = [ChunkPlan(90, 100), ChunkPlan(100, 90, chunk=512), ChunkPlan(100, 90, roi=Roi(1, 0, 80, 100))]
    assert plan.hash not in {other.hash for other in others}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"height": 0, "width": 5}, "is empty"),
        ({"height": 64, "width": 64, "chunk": 40}, "16"),
        ({"height": 64, "width": 64, "chunk": 64, "block": 48}, "divisor"),
        ({"height": 64, "width": 64, "roi": Roi(60, 0, 5, 5)}, "60,0,5,5"),
        ({"height": 64, "width": 64, "roi": Roi(-1, 0, 5, 5)}, "extends beyond"),
        ({"height": 64, "width": 64, "roi": Roi(0, 0, 0, 5)}, "extends beyond"),
    ],
)
def test_impossible_plans_are_refused(arguments: dict, word: str) -> None:
    with pytest.raises(UserError, match=word):
        ChunkPlan(**arguments)


def test_index_outside() -> None:
    with pytest.raises(IndexError):
        ChunkPlan(16, 16)[1]
