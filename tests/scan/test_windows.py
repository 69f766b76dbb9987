from __future__ import annotations

import pytest

from pipeline.networks.inputs import STRIDE
from pipeline.scan.output import ChunkPlan, Part
from pipeline.scan.windows import Windows

HEIGHT, WIDTH = 777, 901


@pytest.mark.parametrize("roi", [None, (37, 50, 700, 613), (0, 16, 512, 300)])
@pytest.mark.parametrize("halo", [0, 32, 128])
@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("scale", [(1.0, 1.0), (0.37, 0.37), (1.9, 2.3)])
def test_every_window_holds_its_chunk_and_its_halo_on_one_grid(
    roi: tuple[int, int, int, int] | None, halo: int, uniform: bool, scale: tuple[float, float]
) -> None:
    windows = Windows(ChunkPlan(HEIGHT, WIDTH, chunk=256, roi=roi), halo, scale, uniform)
    x, y = windows.plan.region[:2]
    sizes = set()
    for index in range(len(windows.plan)):
        part = windows.plan.part(index)
        window = windows.around(part)
        axes = (
            (window.top, window.height, y + part.y, part.height, windows.shape[0], scale[0]),
            (window.left, window.width, x + part.x, part.width, windows.shape[1], scale[1]),
        )
        for start, length, first, count, end, factor in axes:
            assert start % STRIDE == 0
            assert start >= 0
            # the whole halo, or all that the scan has of it
            assert start <= max(0, (first + 0.5) * factor - 0.5 - halo)
            assert start + length >= min(end, (first + count - 0.5) * factor + 0.5 + halo)
            assert start + length <= -(-end // STRIDE) * STRIDE
        sizes.add(window[2:])
    assert len(sizes) == 1 or not uniform


def test_windows_beyond_a_region_read_the_scan() -> None:
    plan = ChunkPlan(HEIGHT, WIDTH, chunk=256, roi=(300, 320, 256, 256))
    assert Windows(plan, 128).around(plan.part(0)) == (192, 160, 512, 524)


def test_a_narrow_last_chunk_gets_a_window_that_the_network_takes() -> None:
    windows = Windows(ChunkPlan(256 + 3, 256 + 3, chunk=256), 0)
    assert windows.around(Part(0, 256, 256, 3, 3)) == (240, 240, 19, 19)
