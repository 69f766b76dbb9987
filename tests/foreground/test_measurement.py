from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.pinned_network import rock_tiles
from pipeline.foreground.intensity import Intensity, NothingToSee
from pipeline.foreground.measurement import Foreground
from pipeline.foreground.normalisation import GreyNormalisation
from pipeline.foreground.rock_mask import RockMask
from pipeline.foreground.shading import CELL
from pipeline.images.rectangles import Part, Roi
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from tests.images.arrays import volume_of

RANDOM = np.random.default_rng(0)
ROCK = RANDOM.integers(60, 250, (6 * CELL, 10 * CELL), dtype=np.uint8)
HALF = ROCK.copy()
HALF[:, 5 * CELL :] = 0


def windows_of(count: int, scale: float = 1.0) -> Windows:
    return Windows(ChunkPlan(*ROCK.shape, count, chunk=256), 16, (scale, scale))


def test_grey_levels_are_of_all_slices_together_and_of_rock_alone() -> None:
    darker = (HALF // 2).astype(np.uint8)
    foreground = Foreground.measured(volume_of(HALF, darker), windows_of(2), skip_empty=True, flatten_shading=False)
    rock = np.concatenate([image[:, : 5 * CELL].ravel() for image in (HALF, darker)])
    assert foreground.normalisation.intensity.mean == pytest.approx(rock.mean(), rel=0.005)
    assert foreground.normalisation.intensity.std == pytest.approx(rock.std(), rel=0.005)
    plan = windows_of(2).plan
    assert foreground.is_empty(plan, Part(1, 0, 7 * CELL, CELL, CELL))
    assert not foreground.is_empty(plan, Part(1, 0, 0, CELL, CELL))
    assert 0.3 < foreground.skipped_share(plan) <= foreground.empty_share + 0.05 < 0.6


def test_an_empty_slice_among_others_is_no_mistake() -> None:
    nothing = np.zeros_like(ROCK)
    foreground = Foreground.measured(volume_of(ROCK, nothing), windows_of(2), skip_empty=True, flatten_shading=False)
    assert foreground.normalisation.intensity.mean == pytest.approx(ROCK.mean(), rel=0.02)
    with pytest.raises(NothingToSee, match="no rock"):
        Foreground.measured(volume_of(nothing), windows_of(1), skip_empty=True, flatten_shading=False)
    with pytest.raises(NothingToSee, match="have the value 0"):
        Foreground.measured(volume_of(nothing), windows_of(1), skip_empty=False, flatten_shading=False)


@pytest.mark.parametrize("region", [Roi(0, 0, 600, 500), Roi(70, 130, 450, 333)])
@pytest.mark.parametrize("rows", [500, 421, 130])
def test_rock_lies_where_no_cell_is_empty_and_above_the_info_bar(region: Roi, rows: int) -> None:
    empty = RANDOM.random((1, -(-rows // CELL), 5)) < 0.6
    foreground = Foreground(GreyNormalisation(Intensity(1, 0, 1)), (RockMask(empty[0], (rows, 600)),))
    plan = ChunkPlan(500, 600, chunk=64, block=64, roi=region)
    x, y, _, _ = region
    for part in (plan[index] for index in range(len(plan))):
        rock = [
            [
                row < rows and not empty[0, row // CELL, column // CELL]
                for column in range(x + part.x, x + part.x + part.width)
            ]
            for row in range(y + part.y, y + part.y + part.height)
        ]
        np.testing.assert_array_equal(foreground.rock(plan, part), rock)
        assert foreground.is_empty(plan, part) == (not np.any(rock))


@pytest.mark.parametrize("skip_empty", [True, False])
def test_it_is_measured_once(tmp_path: Path, skip_empty: bool) -> None:
    file = tmp_path / "foreground.npz"
    measured = Foreground.kept(file, volume_of(HALF), windows_of(1), skip_empty, True, "key")
    kept = Foreground.kept(file, volume_of(ROCK), windows_of(1), skip_empty, True, "key")
    assert kept.normalisation.intensity == measured.normalisation.intensity
    np.testing.assert_array_equal(kept.masks[0].empty, measured.masks[0].empty)
    other = Foreground.kept(file, volume_of(ROCK), windows_of(1), skip_empty, True, "another")
    assert other.normalisation.intensity != measured.normalisation.intensity


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_tiles_lie_in_rock_of_all_slices(scale: float) -> None:
    windows = windows_of(3, scale)
    volume = volume_of(HALF, HALF + 1, HALF + 2)
    foreground = Foreground.measured(volume, windows, skip_empty=True, flatten_shading=False)
    tiles = rock_tiles(volume, windows, foreground, side=256, count=16)[:, 0]
    assert tiles.shape[1:] == (256, 256)
    assert 6 <= len(tiles) <= 16
    # the empty half is a plain 0, 1 or 2
    assert tiles.std((1, 2)).min() > 0.1


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_scan_no_larger_than_the_tiles_is_taken_whole(scale: float) -> None:
    small = [image[:300, :420] for image in (ROCK, ROCK[::-1])]
    volume, windows = volume_of(*small), Windows(ChunkPlan(300, 420, 2, chunk=256), 16, (scale, scale))
    foreground = Foreground.measured(volume, windows, skip_empty=True, flatten_shading=True)
    tiles = rock_tiles(volume, windows, foreground, side=256, count=4)[:, 0]
    assert tiles.shape == (2, *windows.shape)
    if scale == 1:
        expected = [foreground.normalisation.normalised(image, i, 0, 0) for i, image in enumerate(small)]
        np.testing.assert_array_equal(tiles, expected)
    assert rock_tiles(volume, windows, foreground, side=128, count=3).shape[1:] == (1, 128, 128)


def test_small_rock_in_a_frame_is_taken_without_it() -> None:
    rock = ROCK[:300, :420]
    framed = np.pad(rock, ((37, 150), (21, 0)))

    def tiles_of(image: np.ndarray) -> np.ndarray:
        volume, windows = volume_of(image), Windows(ChunkPlan(*image.shape, chunk=256), 16)
        foreground = Foreground.measured(volume, windows, skip_empty=True, flatten_shading=False)
        return rock_tiles(volume, windows, foreground, side=256, count=4)

    expected = tiles_of(rock)
    assert expected.shape == (1, 1, *rock.shape)
    np.testing.assert_allclose(tiles_of(framed), expected, rtol=1e-5, atol=1e-5)
    framed[37:237, 21:221] = 0  # the rock is no rectangle
    assert tiles_of(framed).shape[1:] == (1, 256, 256)


def test_there_are_as_many_tiles_as_wanted_though_half_of_a_slice_is_empty() -> None:
    image = np.random.default_rng(0).integers(60, 250, (8 * CELL, 16 * CELL), dtype=np.uint8)
    empty = np.zeros((1, 8, 16), bool)
    empty[:, :, 8:] = True
    windows = Windows(ChunkPlan(*image.shape, chunk=256), 16)
    foreground = Foreground(GreyNormalisation(Intensity.of(image), ()), (RockMask(empty[0], image.shape),))
    assert len(rock_tiles(volume_of(image), windows, foreground, side=2 * CELL, count=8)) == 8


@pytest.mark.parametrize("skip_empty", [True, False])
def test_slices_of_another_brightness_become_alike(tmp_path: Path, skip_empty: bool) -> None:
    drift = np.linspace(0.7, 1.0, ROCK.shape[1])
    volume, windows = volume_of(ROCK, (ROCK * drift).astype(np.uint8)), windows_of(2)
    foreground = Foreground.kept(tmp_path / "foreground.npz", volume, windows, skip_empty, True, "key")
    for found in (foreground, Foreground.kept(tmp_path / "foreground.npz", volume, windows, skip_empty, True, "key")):
        levels = [
            np.median(found.normalisation.normalised(volume.read(index, 0, left, 6 * CELL, CELL), index, 0, left))
            for index in (0, 1)
            for left in range(0, ROCK.shape[1], CELL)
        ]
        assert np.ptp(levels) < 0.1
    lowest, highest = foreground.normalisation.drift
    assert lowest < -0.3 < 0 < highest
    even = Foreground.measured(volume, windows, skip_empty, flatten_shading=False)
    assert even.normalisation.drift is None
    first, last = (
        np.median(even.normalisation.normalised(volume.read(1, 0, left, 6 * CELL, CELL), 1, 0, left))
        for left in (0, 9 * CELL)
    )
    assert last - first > 0.5


def test_resin_is_no_level_of_the_rock() -> None:
    foreground = Foreground.measured(volume_of(HALF + 1), windows_of(1), skip_empty=True, flatten_shading=True)
    levels = foreground.normalisation.shading[0].levels
    # one cell beside the rock counts as rock, and is too dark to be a level
    np.testing.assert_allclose(levels[:, 6:], levels[:, 4:5].repeat(4, 1), atol=0.05)


def test_the_brightness_of_resin_is_no_level_of_the_rock() -> None:
    image = HALF.copy()
    image[:, 5 * CELL :] = np.arange(100, 200, 20).repeat(CELL)  # each as bright as rock may be
    foreground = Foreground.measured(volume_of(image), windows_of(1), skip_empty=True, flatten_shading=True)
    assert foreground.masks[0].empty[:, 6:].all()
    levels = foreground.normalisation.shading[0].levels
    np.testing.assert_array_equal(levels[:, 6:], levels[:, 5:6].repeat(4, 1))


def test_levels_are_those_of_the_trainings_cells_where_pixels_are_not_square() -> None:
    """At half the scan's rows, a cell of the training is two cells high."""
    image = (ROCK * np.linspace(0.6, 1.0, 6 * CELL)[:, None]).astype(np.uint8)
    windows = Windows(ChunkPlan(*image.shape, chunk=256), 16, (0.5, 1.0))
    foreground = Foreground.measured(volume_of(image), windows, skip_empty=False, flatten_shading=True)
    (shading,) = foreground.normalisation.shading
    cells = image.reshape(3, 2 * CELL, 10, CELL)
    expected = (
        np.median(cells, axis=(1, 3)) - foreground.normalisation.intensity.mean
    ) / foreground.normalisation.intensity.std
    assert shading.cell == (2 * CELL, CELL)
    np.testing.assert_allclose(shading.levels, expected, atol=0.1)
    assert np.ptp(expected) > 0.5


@pytest.mark.parametrize("shape", [(40, 300), (300, 40), (20, 20)])
def test_a_narrow_scan_has_levels_too(shape: tuple[int, int]) -> None:
    volume = volume_of(ROCK[: shape[0], : shape[1]])
    windows = Windows(ChunkPlan(*shape, 1, chunk=256), 16)
    foreground = Foreground.measured(volume, windows, skip_empty=True, flatten_shading=True)
    assert abs(np.median(foreground.normalisation.normalised(volume.read(0, 0, 0, *shape), 0, 0, 0))) < 0.2
