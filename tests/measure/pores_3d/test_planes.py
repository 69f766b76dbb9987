from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.engine.store import MASK
from pipeline.images.rectangles import Roi
from pipeline.measure.pores_3d import planes as module
from pipeline.measure.pores_3d.planes import write_volume_figure
from tests.images.arrays import volume_of
from tests.measure.pores_3d.stacks import MemoryStore, stored


@pytest.mark.parametrize("shape", [(2, 30, 300), (40, 30, 20), (300, 17, 33), (3, 1, 1)])
def test_any_proportions(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    grey = np.random.default_rng(0).random(shape, np.float32)
    write_volume_figure(tmp_path / "volume.png", volume_of(*grey), MemoryStore(grey > 0.9), None)
    with Image.open(tmp_path / "volume.png") as picture:
        assert 500 < picture.width < 3000
        assert 200 < picture.height < 4500


def test_planes_are_those_through_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At level 2 of a region of 70 x 45 px: means of 4 x 4 grey values, the mask of the pyramid"""
    monkeypatch.setattr(module, "_SIDE", 20)
    random = np.random.default_rng(1)
    grey = random.random((5, 53, 79), np.float32)
    mask = np.zeros((5, 45, 70), bool)
    mask[:, 22:30, 33:41] = random.random((5, 1, 1)) < 0.6
    volume, roi = volume_of(*grey), Roi(7, 5, 70, 45)
    drawn = {}

    def draw(planes: dict[str, module.Plane], *_: object, **__: object) -> module.Figure:
        drawn.update(planes)
        return module.Figure()

    monkeypatch.setattr(module, "_draw", draw)
    store = stored(tmp_path, mask, roi)
    write_volume_figure(tmp_path / "volume.png", volume, store, None)
    region = grey[:, 5:50, 7:77]
    means = np.pad(region, ((0, 0), (0, 3), (0, 2)), mode="edge").reshape(5, 12, 4, 18, 4).mean((2, 4))
    coarse = np.stack([store.read_area(2, MASK, slice_) for slice_ in range(5)])
    assert 0 < np.count_nonzero(coarse) < coarse.size
    assert coarse.shape == means.shape
    np.testing.assert_allclose(drawn["xy"][0], means[2], rtol=1e-5)
    np.testing.assert_array_equal(drawn["xy"][1], coarse[2])
    # rows 20 to 23 and columns 32 to 35 hold the middle; the last pixel is cut
    np.testing.assert_allclose(drawn["xz"][0][:, :-1], means[:, 5, :-1], rtol=1e-5)
    np.testing.assert_array_equal(drawn["xz"][1], coarse[:, 5])
    np.testing.assert_allclose(drawn["yz"][0][:, :-1], means[:, :-1, 8], rtol=1e-5)
    np.testing.assert_array_equal(drawn["yz"][1], coarse[:, :, 8])


def test_of_other_slices_a_row_and_a_column_are_read(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).random((4, 30, 40), np.float32)
    volume = volume_of(*grey)
    lent = []
    for slice_ in range(4):
        with volume.slice(slice_, as_stored=True) as source:
            source.largest = 0
            lent.append(source)
    write_volume_figure(tmp_path / "volume.png", volume, MemoryStore(grey > 0.9, chunk=64), None)
    assert [source.largest for source in lent] == [40, 40, 30 * 40, 40]
