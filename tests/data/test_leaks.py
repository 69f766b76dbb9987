from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from pipeline.data.index import index_dataset
from pipeline.data.leaks import Leak, LeakSearch, search_leaks
from pipeline.data.samples import Sample
from pipeline.images import read_image
from pipeline.images.rectangles import Roi
from pipeline.phases import LabelValues

SIZE = (200, 240)
PORES = LabelValues.of_pore(255)


def _texture(seed: int, size: tuple[int, int] = (460, 500), finest: float = 1.0) -> np.ndarray:
    """Grey values with structure at several scales, mean 128 and standard deviation 35."""
    rng = np.random.default_rng(seed)
    layers = [gaussian_filter(rng.normal(size=size), finest * 2**k) * 2**k for k in range(4)]
    field = np.sum(layers, axis=0)
    return 128 + 35 * (field - field.mean()) / field.std()


def _search(tmp_path: Path, train: list[np.ndarray], val: list[np.ndarray]) -> list[Leak]:
    samples = []
    for split, images in (("train", train), ("val", val)):
        for i, pixels in enumerate(images):
            path = tmp_path / f"{split}{i}.png"
            if pixels.dtype == np.float64:
                pixels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path)
            shape = pixels.shape[0], pixels.shape[1]
            samples.append(
                Sample(path.stem, path, path, path.stem, split, None, shape, PORES, 100, {"pore": 10}, "", "")
            )
    return search_leaks(samples).leaks


def _crop(image: np.ndarray, y: int, x: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return image[y : y + size[0], x : x + size[1]]


def test_parts_of_one_image_are_compared_only_where_they_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.clip(_texture(0), 0, 255).astype(np.uint8)).save(path)

    def part(split: str, y: int, height: int) -> Sample:
        roi, shape = Roi(0, y, 300, height), (height, 300)
        return Sample(f"a_{split}", path, path, "a", split, None, shape, PORES, 100, {"pore": 10}, "", "", part=roi)

    assert search_leaks([part("train", 0, 250), part("val", 150, 250)]).leaks
    apart = [part("train", 0, 200), part("val", 200, 200)]
    path.unlink()
    assert search_leaks(apart) == LeakSearch([], 1.0)  # nothing is read


@pytest.mark.parametrize(("dy", "dx"), [(100, 120), (-100, 120), (0, 180), (150, 0), (-60, -155), (0, 0)])
@pytest.mark.parametrize("noise", [0.0, 15.0])
def test_crops_that_overlap_by_a_quarter(tmp_path: Path, dy: int, dx: int, noise: float) -> None:
    whole, rng = _texture(0, (560, 640)), np.random.default_rng(1)
    first = _crop(whole, 155, 180)
    second = 40 + 0.6 * _crop(whole, 155 + dy, 180 + dx)
    first, second = (image + rng.normal(0, noise, SIZE) for image in (first, second))
    (leak,) = _search(tmp_path, [first], [second])
    assert leak.shift == (dy, dx)
    assert leak.share == pytest.approx((1 - abs(dy) / SIZE[0]) * (1 - abs(dx) / SIZE[1]))
    assert not leak.copy
    assert "overlap" in str(leak)


def test_small_crop_of_a_large_image(tmp_path: Path) -> None:
    whole = _texture(2, (520, 600))
    (leak,) = _search(tmp_path, [whole], [_crop(whole, 301, 203, (120, 130))])
    assert leak.shift == (301, 203)
    assert leak.share == 1.0


def test_large_images_are_compared_at_low_resolution(tmp_path: Path) -> None:
    whole = _texture(3, (1400, 1500), finest=4)
    first, second = whole[:800, :900], whole[401:1201, 453:1353]
    ((leak,)) = _search(tmp_path, [first], [second])
    assert leak.shift == pytest.approx((401, 453), abs=2)


@pytest.mark.parametrize("turn", [lambda a: a, np.fliplr, np.rot90, np.transpose])
def test_copies(tmp_path: Path, turn: Callable[[np.ndarray], np.ndarray]) -> None:
    image = _crop(_texture(4), 0, 0)
    (leak,) = _search(tmp_path, [image, _crop(_texture(5), 0, 0)], [turn(image)])
    assert leak.copy
    assert leak.first.name == "train0"
    assert str(leak) == "train0 (train, source train0) and val0 (val, source val0) are the same image"


def test_only_between_splits(tmp_path: Path) -> None:
    image = _crop(_texture(4), 0, 0)
    assert not _search(tmp_path, [image, image], [_crop(_texture(5), 0, 0)])


@pytest.mark.parametrize("finest", [0.3, 1.0, 3.0, 8.0])
def test_unrelated_images_however_blurred(tmp_path: Path, finest: float) -> None:
    images = [_texture(seed, SIZE, finest) for seed in range(12)]
    assert not _search(tmp_path, images[:6], images[6:])


def test_abutting_tiles(tmp_path: Path) -> None:
    whole = _texture(6)
    assert not _search(tmp_path, [_crop(whole, 0, 0)], [_crop(whole, 0, SIZE[1]), _crop(whole, SIZE[0], 0)])


def test_shared_info_bar_and_stripes(tmp_path: Path) -> None:
    bar = Image.new("L", (SIZE[1], 24))
    ImageDraw.Draw(bar).text((3, 3), "15 kV  WD 4.2 mm  Mag 5000 x |----| 2 um", fill=255)
    stripes = 30 * gaussian_filter(np.random.default_rng(7).normal(size=SIZE[1]), 1.5)
    images = []
    for seed in range(8):
        image = _texture(seed, SIZE) + stripes
        image[-24:] = np.asarray(bar)
        images.append(image)
    assert not _search(tmp_path, images[:4], images[4:])


def test_info_bar_does_not_hide_an_overlap(tmp_path: Path) -> None:
    bar = Image.new("L", (SIZE[1], 24))
    ImageDraw.Draw(bar).text((3, 3), "15 kV  WD 4.2 mm  Mag 5000 x |----| 2 um", fill=255)
    whole = _texture(8)
    first, second = _crop(whole, 0, 0).copy(), _crop(whole, 60, 90).copy()
    first[-24:] = second[-24:] = np.asarray(bar)
    (leak,) = _search(tmp_path, [first], [second])
    assert leak.shift == (60, 90)


def test_flat_and_small_images(tmp_path: Path) -> None:
    flat = np.full((32, 40), 9, np.uint8)
    small = _texture(9, (16, 16))
    assert not _search(tmp_path, [flat, small], [flat, _texture(10, (16, 16))])
    (leak,) = _search(tmp_path, [small], [small])
    assert leak.copy


@pytest.mark.data
def test_real_tiles_of_different_sources_have_no_leaks(shared: Path) -> None:
    index = index_dataset(shared / "nankai", pore_label=2)
    start = time.process_time()
    assert not search_leaks(index.samples).leaks
    assert time.process_time() - start < 60


@pytest.mark.data
def test_a_chance_agreement_in_a_narrow_overlap_is_no_leak(shared: Path, tmp_path: Path) -> None:
    # a shale's tile and an alloy, of two data sets: 0.44 in 12 % of the tile, among 4,400 pairs
    folder = shared / "phases"
    pair = folder / "super1" / "images" / "spot70d5.png", folder / "gsc_shale" / "images" / "tile_0074.png"
    assert _search(tmp_path, *([read_image(path)] for path in pair)) == []


def test_real_tiles_of_one_source_abut_without_overlap(shared: Path, tmp_path: Path) -> None:
    tiles = [read_image(path) for path in sorted((shared / "nankai" / "images").glob("11_*.png"))]
    assert not _search(tmp_path, tiles[::2], tiles[1::2])


@pytest.mark.data
def test_planted_crops_of_real_mosaics(shared: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train, val, shifts = [], [], []
    height, width = 343, 398
    for i in range(16):
        mosaic = read_image(shared / "nankai" / "mosaics" / f"{(11, 13)[i % 2]}_image.png").astype(float)
        tall = rng.uniform(0.25, 1)  # a quarter of the area in a random aspect
        dy, dx = round(height * (1 - tall)), round(width * (1 - 0.25 / tall))
        y = rng.integers(0, mosaic.shape[0] - height - dy)
        x = rng.integers(0, mosaic.shape[1] - width - dx)
        first = _crop(mosaic, y, x, (height, width))
        second = 30 + 0.7 * _crop(mosaic, y + dy, x + dx, (height, width))
        noise = (0, 8)[i // 2 % 2]  # more hides the rock where it has few features
        train.append(first + rng.normal(0, noise, first.shape))
        val.append(second + rng.normal(0, noise, first.shape))
        shifts.append((dy, dx))
    found = {(leak.first.name, leak.second.name): leak.shift for leak in _search(tmp_path, train, val)}
    for i, shift in enumerate(shifts):
        assert found[f"train{i}", f"val{i}"] == pytest.approx(shift, abs=1)


@pytest.mark.parametrize("turn", range(1, 8))
def test_mirrored_and_turned_crops_that_overlap(tmp_path: Path, turn: int) -> None:
    whole = _texture(11)
    first, second = _crop(whole, 0, 0), _crop(whole, 70, 90)
    turned = np.rot90(second, -(turn % 4))
    turned = turned[:, ::-1] if turn >= 4 else turned
    turned = np.ascontiguousarray(20 + 0.8 * turned + np.random.default_rng(12).normal(0, 5, turned.shape))
    (leak,) = _search(tmp_path, [first], [turned])
    assert leak.turn
    assert leak.share == pytest.approx((1 - 70 / SIZE[0]) * (1 - 90 / SIZE[1]), abs=0.01)
    assert leak.turn in str(leak)


def test_a_search_ends_when_its_time_is_over_but_knows_the_copies(tmp_path: Path) -> None:
    image = _crop(_texture(13), 0, 0)
    images = [_crop(_texture(seed), 0, 0) for seed in range(20, 24)]
    samples: list[Sample] = []
    for split, members in (("train", [image, *images[:2]]), ("val", [np.fliplr(image), *images[2:]])):
        for i, pixels in enumerate(members):
            path = tmp_path / f"{split}{i}.png"
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
            samples.append(
                Sample(path.stem, path, path, path.stem, split, None, SIZE, PORES, 100, {"pore": 10}, "", "")
            )
    search = search_leaks(samples, seconds=0)
    assert [leak.copy for leak in search.leaks] == [True]
    assert search.share < 0.1
    assert search_leaks(samples, seconds=600).share == 1
