from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pipeline.images import read_image
from pipeline.images.microscope import find_info_bar
from pipeline.synthetic import SceneSettings, generate
from pipeline.synthetic.sample import info_bar_height as drawn_height
from tests.images.microscope.bars import boxes, data_zone, one_line
from tests.paths import SHARED

SHAPE = (320, 480)


@pytest.fixture(scope="module")
def rocks() -> list[np.ndarray]:
    settings = [SceneSettings(), SceneSettings(noise=0, porosity=0.3), SceneSettings(organic_fraction=0.2)]
    return [generate(SHAPE, seed, one).image for seed, one in enumerate(settings)]


@pytest.mark.parametrize("seed", range(4))
def test_synthetic_rock_with_and_without_its_bar(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(250, 500)), int(rng.integers(250, 500))
    assert find_info_bar(generate(shape, seed, SceneSettings(info_bar=True)).image) == drawn_height(shape[0])
    assert find_info_bar(generate(shape, seed, SceneSettings(info_bar=False)).image) == 0


@pytest.mark.parametrize("draw", [boxes, one_line])
@pytest.mark.parametrize("height", [28, 47, 70])
@pytest.mark.parametrize(("ground", "pen"), [(0, 255), (255, 0), (40, 230), (128, 255)])
def test_bars_of_makers(rocks: list[np.ndarray], draw: Callable, height: int, ground: int, pen: int) -> None:
    for rock in rocks:
        image = np.vstack([rock, draw(height, SHAPE[1], ground, pen)])
        assert find_info_bar(image) == height
        assert find_info_bar(image.astype(np.uint16) * 200 + 7) == height
        assert find_info_bar(image.astype(np.float32) / 255) == height
        # the lower rows alone are enough
        assert find_info_bar(image[-120:], len(image)) == height


@pytest.mark.parametrize(("ground", "pen"), [(0, 255), (255, 0), (192, 0)])
@pytest.mark.parametrize("frame", [None, 0, 128, 255])
@pytest.mark.parametrize("below", [0, 1, 2, 3])
def test_a_data_zone_that_ends_before_the_border(
    rocks: list[np.ndarray], ground: int, pen: int, frame: int | None, below: int
) -> None:
    for number, rock in enumerate(rocks):
        beside, height = number, 44
        image = rock.copy()
        bottom = len(image) - below
        image[bottom - height : bottom, : SHAPE[1] - beside] = data_zone(height, SHAPE[1] - beside, ground, pen, frame)
        assert find_info_bar(image) == height + below


@pytest.mark.parametrize("quality", [75, 95])
def test_a_bar_that_went_through_jpeg(rocks: list[np.ndarray], quality: int) -> None:
    for rock in rocks:
        stream = io.BytesIO()
        Image.fromarray(np.vstack([rock, one_line(48, SHAPE[1], 0, 255)])).save(stream, "JPEG", quality=quality)
        assert abs(find_info_bar(np.asarray(Image.open(stream))) - 48) <= 1


@pytest.mark.parametrize("rows", [20, 50, 90])
@pytest.mark.parametrize("level", [0, 255])
def test_an_empty_frame_is_no_bar(rocks: list[np.ndarray], rows: int, level: int) -> None:
    for rock in rocks:
        image = rock.copy()
        image[-rows:] = level
        assert find_info_bar(image) == 0
        image = rock.copy()
        image[-rows:, :300] = level  # the border of a mosaic whose tiles end at different rows
        assert find_info_bar(image) == 0
        image[-rows // 2 :] = level
        assert find_info_bar(image) == 0


@pytest.mark.parametrize("mean", [-20, -8, 12])
@pytest.mark.parametrize("straight", [True, False])
@pytest.mark.parametrize("grains", [0, 40])
def test_resin_at_the_bottom_is_no_bar(rocks: list[np.ndarray], mean: float, straight: bool, grains: int) -> None:
    rng = np.random.default_rng(0)
    for rock in rocks:
        resin = rng.normal(mean, 6, SHAPE).clip(0, 255)
        edge = 250 + (0 if straight else np.cumsum(rng.integers(-1, 2, SHAPE[1])))
        image = np.where(np.arange(SHAPE[0])[:, None] > edge, resin, rock)
        for _ in range(grains):
            top, left, side = rng.integers(255, SHAPE[0]), rng.integers(0, SHAPE[1]), rng.integers(2, 9)
            part = image[top : top + side, left : left + side]
            part[...] = rng.normal(130, 25, part.shape).clip(0, 255)
        assert find_info_bar(image.astype(np.uint8)) == 0


def test_clipped_and_coarse_grey_levels_are_no_bar(rocks: list[np.ndarray]) -> None:
    for rock in rocks:
        assert find_info_bar(np.where(rock < 110, 0, rock).astype(np.uint8)) == 0
        assert find_info_bar((rock // 64 * 64).astype(np.uint8)) == 0
        assert find_info_bar(np.where(rock > 90, 255, 0).astype(np.uint8)) == 0
        lower = rock.copy()
        lower[-80:] = np.where(rock[-80:] < 140, 0, rock[-80:])
        assert find_info_bar(lower) == 0


@pytest.mark.parametrize("shape", [(1, 1), (5, 200), (200, 5), (40, 40)])
def test_images_of_one_level_and_of_any_size(shape: tuple[int, int]) -> None:
    assert find_info_bar(np.zeros(shape, np.uint8)) == 0
    assert find_info_bar(np.random.default_rng(0).integers(0, 255, shape, np.uint8)) == 0


@pytest.mark.data
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real images: {SHARED} is missing")
def test_real_images_have_no_bar() -> None:
    """All of these were looked at: none has a bar."""
    paths = [*SHARED.glob("nankai/mosaics/*_image.png"), *SHARED.glob("shale_stack/*.png")]
    paths += [*SHARED.glob("vendor_tiff/*.tif"), *sorted(SHARED.glob("nankai/images/*"))]
    assert len(paths) >= 60
    for path in paths:
        assert find_info_bar(read_image(path)) == 0, path.name
