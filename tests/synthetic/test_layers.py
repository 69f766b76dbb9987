"""Images whose two phases differ by nothing but where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pipeline.data import index_dataset
from pipeline.synthetic.layers import PHASES, layered, write_layered

SAMPLES = [layered((512, 512), seed) for seed in range(4)]


def test_the_same_seed_gives_the_same_image() -> None:
    again = layered((512, 512), 0)
    np.testing.assert_array_equal(again.image, SAMPLES[0].image)
    np.testing.assert_array_equal(again.label, SAMPLES[0].label)
    assert (again.image != SAMPLES[1].image).any()


def test_pores_of_both_phases_look_alike() -> None:
    """Grey levels within them, and those around where no rim is near."""
    within = [
        np.concatenate([s.image[ndimage.binary_erosion(s.label == phase, iterations=2)] for s in SAMPLES])
        for phase in (1, 2)
    ]
    assert min(map(len, within)) > 1000
    assert abs(within[0].mean() - within[1].mean()) < 2
    assert within[0].std() == pytest.approx(within[1].std(), rel=0.1)
    areas = []
    for phase in (1, 2):
        labels = [ndimage.label(sample.label == phase)[0] for sample in SAMPLES]
        areas.append(np.concatenate([np.bincount(found.ravel())[1:] for found in labels]))
    assert np.median(areas[0]) == pytest.approx(np.median(areas[1]), rel=0.25)


def test_the_layer_holds_one_of_them_and_the_rest_the_other() -> None:
    for sample in SAMPLES:
        inner, outer = (np.argwhere(sample.label == phase) for phase in (1, 2))
        assert min(len(inner), len(outer)) > 500
        # the layer is a band: what lies in it is narrower across than what does not, in the band's own direction
        spread = np.linalg.svd(inner - inner.mean(0), compute_uv=False)
        assert spread[1] < 0.8 * spread[0]


def test_a_data_set_with_its_phases_and_split(tmp_path: Path) -> None:
    write_layered(tmp_path, 4, (256, 256), val=1)
    index = index_dataset(str(tmp_path))
    assert [phase.name for phase in index.phases] == list(PHASES)
    assert [sample.split for sample in index.samples] == ["train"] * 3 + ["val"]
    assert np.asarray(Image.open(tmp_path / "images" / "layered_0001.png")).shape == (256, 256)
