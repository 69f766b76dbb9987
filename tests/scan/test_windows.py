from __future__ import annotations

import pytest

from pipeline.scan.output import ChunkPlan
from pipeline.scan.windows import window_of


@pytest.mark.parametrize("roi", [None, (37, 50, 700, 613), (0, 16, 512, 300)])
@pytest.mark.parametrize("halo", [0, 32, 128])
def test_every_window_holds_its_chunk_and_its_halo_on_one_grid(roi: tuple[int, ...] | None, halo: int) -> None:
    height, width = 777, 901
    plan = ChunkPlan(height, width, chunk=256, roi=roi)
    x, y = plan.region[:2]
    starts = set()
    for i in range(len(plan)):
        chunk, window = plan[i], window_of(plan, plan[i], halo)
        assert (window.top + window.inner_top, window.left + window.inner_left) == (y + chunk.y, x + chunk.x)
        assert 0 <= window.top < window.top + window.height <= height
        assert 0 <= window.left < window.left + window.width <= width
        # the whole halo, or all that the scan has of it on the grid
        assert window.inner_top >= min(halo, y + chunk.y - y % 16)
        assert window.top + window.height >= min(y + chunk.y + chunk.height + halo, height)
        starts.add((window.top % 16, window.left % 16))
    assert len(starts) == 1


def test_a_narrow_last_chunk_gets_a_window_that_the_network_takes() -> None:
    plan = ChunkPlan(256 + 3, 256 + 3, chunk=256)
    window = window_of(plan, plan[3], 0)
    assert (window.height, window.width) == (19, 19)
    assert (window.inner_top, window.inner_left) == (16, 16)
