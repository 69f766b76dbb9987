from __future__ import annotations

from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.engine.pyramid import coarse_scan, level_within
from pipeline.engine.store import MASK
from pipeline.images import open_image
from pipeline.report import pictures
from pipeline.report.pictures import pictures_of
from pipeline.visual.drawing import PORE
from tests.images.arrays import ArraySource
from tests.measure.pore_statistics.stores import store_of


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)))


def test_pictures_lie_over_each_other(tmp_path: Path) -> None:
    mask = np.zeros((120, 170), bool)
    mask[30:60, 40:100] = True
    image = np.where(mask, 20, 200).astype(np.uint8)
    tifffile.imwrite(tmp_path / "scan.tif", image)
    store, _ = store_of(tmp_path, mask)
    with open_image(tmp_path / "scan.tif") as source:
        found = pictures_of(lambda _: nullcontext(source), store, 0, 5.0, "")
    assert (found.width, found.height, found.reduction) == (170, 120, 1)
    assert (found.corner, found.region) == ((0, 0), (170, 120))
    scan, overlay, probability = opened(found.scan), opened(found.overlay), opened(found.probability[0])
    assert ((scan[..., 0] < 128) == mask).mean() > 0.99
    np.testing.assert_array_equal(overlay[..., 3] > 0, mask)
    assert tuple(overlay[30, 40]) == (*PORE, 255)
    assert 0 < overlay[45, 70, 3] < 255
    # viridis: from dark blue to yellow
    assert probability[45, 70, 0] > 200 > 100 > probability[100, 20, 0]


def test_a_large_scan_is_shown_from_a_coarse_level(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (300, 2500)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "scan.tif", image)
    store, _ = store_of(tmp_path, image < 100, chunk=256)
    with open_image(tmp_path / "scan.tif") as source:
        found = pictures_of(lambda _: nullcontext(source), store, 0, None, "")
        np.testing.assert_allclose(
            coarse_scan(source, store, 1)[:, :1250], image.reshape(150, 2, 1250, 2).mean((1, 3)), atol=1e-4
        )
    assert (found.width, found.height, found.reduction) == (1250, 150, 2)
    assert opened(found.overlay).shape == (150, 1250, 4)
    np.testing.assert_array_equal(opened(found.overlay)[..., 3] > 0, store.read_area(1, MASK, 0) > 0)


@pytest.mark.parametrize(("side", "level"), [(5000, 0), (2500, 0), (2499, 1), (700, 2), (1, 4)])
def test_level_within(tmp_path: Path, side: int, level: int) -> None:
    store, _ = store_of(tmp_path, np.zeros((300, 2500), bool), chunk=256)
    assert level_within(store, side) == level


def test_noise_is_compressed_until_it_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pictures._MOST_BYTES, "scan", 40_000)
    image = np.random.default_rng(0).integers(0, 255, (250, 300)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "scan.tif", image)
    store, _ = store_of(tmp_path, np.zeros(image.shape, bool))
    with open_image(tmp_path / "scan.tif") as source:
        found = pictures_of(lambda _: nullcontext(source), store, 0, None, "")
    assert 10_000 < len(found.scan) <= 40_000


@pytest.mark.parametrize("most", [60_000, 150_000, 10_000_000])
def test_a_large_picture_is_in_the_best_quality_that_fits(most: int) -> None:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 255, (80, 70)).astype(np.uint8)
    image = Image.fromarray(coarse).resize((700, 800), Image.Resampling.BICUBIC)
    noisy = np.clip(np.asarray(image) + random.normal(0, 8, (800, 700)), 0, 255).astype(np.uint8)
    every = [pictures._webp(Image.fromarray(noisy), quality=q, method=pictures._METHOD) for q in (88, 75, 60, 40, 20)]
    expected = next((data for data in every if len(data) <= most), every[-1])
    assert pictures.lossy(noisy, most) == expected
    assert len({len(data) <= 60_000 for data in every}) == 2  # the smallest limit is between them


def test_slices_of_a_stack_are_pictured_smaller_and_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_SIDE_OF_SLICES", 100)
    random = np.random.default_rng(0)
    stack = random.integers(0, 255, (5, 120, 170)).astype(np.uint8)
    mask = stack < 100
    store, _ = store_of(tmp_path, mask)
    sources = [ArraySource(one) for one in stack]
    found = pictures_of(lambda number: nullcontext(sources[number]), store, 2, None, "", [0, 1, 2, 4])
    assert (found.number, found.depth, found.width) == (2, 5, 170)
    assert [one.number for one in found.others] == [0, 1, 4]
    for one in found.others:
        assert opened(one.scan).shape[:2] == (60, 85)  # the level below
        np.testing.assert_array_equal(opened(one.overlay)[..., 3] > 0, store.read_area(1, MASK, one.number) > 0)
    assert found.on_sheet == (0, 1, 2, 4)
    assert opened(found.sheet).shape == (60, 4 * 85 + 3 * 8, 3)
    monkeypatch.setattr(pictures, "_MOST_BYTES_OF_SLICES", 4 * 1500)
    smaller = pictures_of(lambda number: nullcontext(sources[number]), store, 2, None, "", [0, 1, 2, 4])
    assert sum(len(one.scan) for one in smaller.others) < sum(len(one.scan) for one in found.others) / 1.5
