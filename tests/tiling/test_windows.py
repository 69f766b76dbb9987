from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.images.rectangles import Part, Roi, Rows
from pipeline.networks.inputs import STRIDE
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows, axis_weights, check_imaged

HEIGHT, WIDTH = 777, 901


@pytest.mark.parametrize("roi", [None, Roi(37, 50, 700, 613), Roi(0, 16, 512, 300)])
@pytest.mark.parametrize("halo", [0, 32, 128])
@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("scale", [(1.0, 1.0), (0.37, 0.37), (1.9, 2.3)])
def test_every_window_holds_its_chunk_and_its_halo_on_one_grid(
    roi: Roi | None, halo: int, uniform: bool, scale: tuple[float, float]
) -> None:
    windows = Windows(ChunkPlan(HEIGHT, WIDTH, chunk=256, roi=roi), halo, scale, uniform)
    x, y = windows.plan.region[:2]
    sizes = set()
    for index in range(len(windows.plan)):
        part = windows.plan[index]
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


@pytest.mark.parametrize("scale", [(0.37, 0.37), (1.9, 2.3), (4.0, 4.0)])
def test_a_window_without_a_halo_holds_all_that_its_part_is_resampled_from(scale: tuple[float, float]) -> None:
    windows = Windows(ChunkPlan(HEIGHT, WIDTH, chunk=64, block=64), 0, scale)
    for part in (windows.plan[index] for index in range(len(windows.plan))):
        window = windows.around(part)
        for start, length, first, count, factor, end in (
            (window.top, window.height, part.y, part.height, scale[0], windows.shape[0]),
            (window.left, window.width, part.x, part.width, scale[1], windows.shape[1]),
        ):
            origin, _, weights = axis_weights(first, count, 1 / factor, end)
            needed = origin + np.flatnonzero(weights.sum(axis=0))
            assert start <= needed[0]
            assert needed[-1] < start + length


def test_windows_beyond_a_region_read_the_scan() -> None:
    plan = ChunkPlan(HEIGHT, WIDTH, chunk=256, roi=Roi(300, 320, 256, 256))
    assert Windows(plan, 128).around(plan[0]) == (192, 160, 512, 524)


def test_a_narrow_last_chunk_gets_a_window_that_the_network_takes() -> None:
    windows = Windows(ChunkPlan(256 + 3, 256 + 3, chunk=256), 0)
    assert windows.around(Part(0, 256, 256, 3, 3)) == (240, 240, 19, 19)


def test_a_region_in_the_info_bar_is_refused() -> None:
    shape = (288, 300)
    check_imaged(shape, Rows(0, 188), Roi(0, 187, 100, 88), (1, 1), "a.tif")
    check_imaged(shape, Rows(0, 288), Roi(0, 200, 100, 88), (1, 1), "a.tif")
    with pytest.raises(
        UserError, match=r"a\.tif: the region 0,188,100,88 lies in the info bar, which begins at row 188"
    ):
        check_imaged(shape, Rows(0, 188), Roi(0, 188, 100, 88), (1, 1), "a.tif")


def test_a_region_in_an_info_bar_on_top_is_refused() -> None:
    check_imaged((288, 300), Rows(50, 288), Roi(0, 40, 100, 11), (1, 1), "a.tif")
    with pytest.raises(UserError, match="the region 0,40,100,10 lies in the info bar, which ends at row 50"):
        check_imaged((288, 300), Rows(50, 288), Roi(0, 40, 100, 10), (1, 1), "a.tif")


@pytest.mark.parametrize(
    ("shape", "rows", "scale", "told"),
    [
        ((12, 12), 12, (1, 1), r"it has 12 x 12 pixels, but the network needs at least 16 x 16: give a larger image"),
        ((40, 90), 15, (1, 1), "it has 90 x 15 pixels"),
        ((300, 200), 300, (0.07, 0.07), r"200 x 300 pixels .14 x 21 at the network.s scale.*--pixel_size_nm"),
    ],
)
def test_a_scan_that_is_too_small_for_the_network_is_refused(
    shape: tuple[int, int], rows: int, scale: tuple[float, float], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        check_imaged(shape, Rows(0, rows), None, scale, "a.tif")


def test_a_scan_that_is_large_enough_at_the_networks_scale_is_taken() -> None:
    check_imaged((16, 16), Rows(0, 16), None, (1, 1), "a.tif")
    check_imaged((8, 8), Rows(0, 8), None, (2, 2), "a.tif")
