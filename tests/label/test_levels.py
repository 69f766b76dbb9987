"""An image as napari shows it, without napari."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.label.levels import COARSEST, ImageLevels


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (2100, 3001), np.uint8)


def test_levels_are_the_image_at_steps(tmp_path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(256, 256))
    image = ImageLevels(tmp_path / "a.tif")
    assert [level.shape for level in image.levels] == [(2100, 3001), (1050, 1501), (525, 751)]
    assert max(image.levels[-1].shape) <= COARSEST
    for step, level in zip((1, 2, 4), image.levels, strict=True):
        whole = pixels[::step, ::step]
        np.testing.assert_array_equal(level[10:300, 200:601], whole[10:300, 200:601])
        np.testing.assert_array_equal(level[5], whole[5])
        np.testing.assert_array_equal(level[7:9, 3], whole[7:9, 3])
        np.testing.assert_array_equal(np.asarray(level), whole)
        np.testing.assert_array_equal(level[::50, ::70], whole[::50, ::70])
    low, high = image.limits
    assert 0 <= low < 10
    assert 245 < high <= 255
    image.close()


def test_only_what_is_asked_for_is_read(tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(256, 256))
    image = ImageLevels(tmp_path / "a.tif")
    read: list[int] = []
    own = image.source.read
    monkeypatch.setattr(image.source, "read", lambda *window: read.append(window[2] * window[3]) or own(*window))
    image.levels[0][100:200, 300:500]
    image.levels[1][100:200, 300:500]
    assert read == [100 * 200, 200 * 400]


def test_pixel_sizes_are_in_nm(tmp_path: Path, pixels: np.ndarray) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": 12.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 12.5}
    metadata["PhysicalSizeYUnit"] = "nm"
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels[:500, :400], metadata=metadata)
    image = ImageLevels(tmp_path / "a.ome.tif")
    assert len(image.levels) == 1
    assert image.pixel_size_nm == (12.5, 12.5)


_PEAK = """
import sys, tracemalloc
from pathlib import Path
from pipeline.label.levels import ImageLevels

image = ImageLevels(Path(sys.argv[1]))
tracemalloc.start()
image.limits  # which reads the coarsest level
print(tracemalloc.get_traced_memory()[1])
"""


def test_no_level_holds_the_image(tmp_path: Path) -> None:
    """A scan of 134 MB whose pixels are all the same, so that it takes no time.

    In a process of its own: memory is traced for all threads, and windows of other tests may still be at work.
    """
    zarr = pytest.importorskip("zarr")
    zarr.open(tmp_path / "a.zarr", mode="w", shape=(8192, 16384), chunks=(1024, 2048), dtype="u1", fill_value=90)
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, tmp_path / "a.zarr"], check=True, capture_output=True, text=True, timeout=300
    )
    at_once, cached = 1 << 24, 64 << 20
    assert int(done.stdout) < 3 * at_once + cached
