from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.foreground.cell_statistics import measure_cells
from pipeline.foreground.rock_mask import RockMask, find_empty_cells
from pipeline.foreground.shading import CELL
from pipeline.images import open_image
from pipeline.synthetic import generate

SIDE = 12 * CELL
MARGIN = 4 * CELL


@pytest.fixture(scope="module")
def rock() -> np.ndarray:
    return generate((SIDE - 2 * MARGIN + 70, SIDE - 2 * MARGIN + 70), 3).image


def ground_of(folder: Path, image: np.ndarray) -> RockMask:
    tifffile.imwrite(folder / "a.tif", image, tile=(256, 256), compression="zlib")
    with open_image(folder / "a.tif") as source:
        return RockMask(find_empty_cells(measure_cells(source)), source.shape)


def around(rock: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rock in the middle of a background, and where it is."""
    image, where = background.astype(np.uint8), np.zeros(background.shape, bool)
    place = slice(MARGIN, MARGIN + rock.shape[0]), slice(MARGIN, MARGIN + rock.shape[1])
    image[place], where[place] = rock, True
    return image, where


def resin(shape: tuple[int, int], level: float = 40.0, spread: float = 4.0) -> np.ndarray:
    return np.random.default_rng(0).normal(level, spread, shape).round().clip(0, 255)


def assert_no_rock_is_empty(ground: RockMask, where: np.ndarray) -> None:
    cells = np.kron(ground.empty, np.ones((CELL, CELL), bool))[: where.shape[0], : where.shape[1]]
    assert not (cells & where).any()
    assert ground.empty_share == pytest.approx(cells.mean())


@pytest.mark.parametrize("kind", ["black", "resin"])
@pytest.mark.parametrize("shape", [(SIDE, SIDE), (SIDE + 55, SIDE + 90)])
def test_background_is_found_and_rock_is_not(
    tmp_path: Path, rock: np.ndarray, kind: str, shape: tuple[int, int]
) -> None:
    background = np.zeros(shape) if kind == "black" else resin(shape)
    image, where = around(rock, background)
    ground = ground_of(tmp_path, image)
    assert_no_rock_is_empty(ground, where)
    assert ground.empty_share > 0.5 * (1 - where.mean())
    assert ground.is_empty(0, 0, 2 * CELL, shape[1])
    assert not ground.is_empty(MARGIN, 0, 10, shape[1])


def test_rock_alone_has_no_empty_ground(tmp_path: Path, rock: np.ndarray) -> None:
    assert not ground_of(tmp_path, rock).empty.any()
    assert not ground_of(tmp_path, generate((400, 530), 1).image).empty.any()


def test_texture_that_looks_like_noise_is_no_resin(tmp_path: Path) -> None:
    clay = resin((SIDE, SIDE), 60.0, 20.0).astype(np.uint8)
    assert not ground_of(tmp_path, clay).empty.any()
    image, _ = around(resin((4 * CELL, 4 * CELL), 90.0, 4.0), clay)
    assert not ground_of(tmp_path, image).empty.any()


def test_resin_beside_texture_with_more_noise_is_told_from_it(tmp_path: Path, rock: np.ndarray) -> None:
    """Both are darker than the rock, and reach the border; most cells are texture."""
    background = resin((SIDE, SIDE), 60.0, 12.0)
    background[:, : MARGIN - CELL] = resin((SIDE, MARGIN - CELL), 60.0, 4.0)
    image, _ = around(rock, background)
    empty = ground_of(tmp_path, image).empty
    assert empty[:, 0].all()
    assert not empty[:, MARGIN // CELL - 1 :].any()


def test_a_large_pore_inside_the_rock_is_not_empty(tmp_path: Path, rock: np.ndarray) -> None:
    image = np.tile(rock, (3, 3))[:SIDE, :SIDE].copy()
    image[MARGIN : MARGIN + 5 * CELL, MARGIN : MARGIN + 5 * CELL] = 0
    assert not ground_of(tmp_path, image).empty.any()


@pytest.mark.parametrize("size", [3, 12])
def test_a_speck_in_the_resin_is_kept(tmp_path: Path, rock: np.ndarray, size: int) -> None:
    image, _ = around(rock, resin((SIDE, SIDE)))
    place = slice(CELL + 50, CELL + 50 + size)
    image[place, place] += 60
    assert not ground_of(tmp_path, image).is_empty(CELL + 50, CELL + 50, size, size)


def test_scans_smaller_than_a_cell(tmp_path: Path) -> None:
    ground = ground_of(tmp_path, np.zeros((100, 300), np.uint8))
    assert ground.empty_share == 0
    assert not ground.is_empty(0, 0, 100, 300)


def test_background_on_one_side_only(tmp_path: Path) -> None:
    image = generate((6 * CELL, 12 * CELL), 3).image.copy()
    image[:, 6 * CELL :] = 0
    ground = ground_of(tmp_path, image)
    # less one cell of margin
    assert ground.empty[:, 7:].all()
    assert not ground.empty[:, :7].any()


def test_a_single_saturated_cell_in_the_rock_is_no_empty_ground(tmp_path: Path) -> None:
    image = generate((8 * CELL, 8 * CELL), 3).image.copy()
    image[3 * CELL : 5 * CELL, 3 * CELL : 4 * CELL] = 0
    assert not ground_of(tmp_path, image).empty.any()
