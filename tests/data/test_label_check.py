from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import index_dataset
from pipeline.data.label_check import INVERTED, SHIFTED, check_labels
from pipeline.visual import label_picture
from pipeline.visual.overlay import displaced_mask
from tests.data.test_label_fit import rock, warped
from tests.paths import SHARED

DATA = SHARED


def test_wrong_masks_of_a_data_set_are_named_worst_first(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for k in range(5):
        image, mask = rock(k)
        mask = {1: np.roll(mask, (0, 5), (0, 1)), 3: ~mask, 4: np.zeros_like(mask)}.get(k, mask)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(tmp_path / "images" / f"{k}.png")
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "labels" / f"{k}.png")
    index = index_dataset(tmp_path)
    doubts = check_labels(index.samples, index.pore_label)
    assert [(doubt.sample.name, doubt.kind) for doubt in doubts] == [("3", INVERTED), ("1", SHIFTED)]
    assert "pore_label" in str(doubts[0])
    assert str(doubts[1]).endswith("moved by 5 px left")
    # the value that is rock taken for pore: all but the inverted one look inverted
    assert {doubt.sample.name for doubt in check_labels(index.samples, 0)} == {"0", "1", "2"}


def test_the_picture_shows_the_mask_and_where_it_would_fit() -> None:
    image, mask = rock(0)
    drifting = warped(mask, np.array([[1, 0], [-8 / len(mask), 1]]))
    corners = np.array([(0, 0), (0, 0), (0, -8), (0, -8)], dtype=float)
    assert (displaced_mask(drifting, corners) ^ mask).mean() < 0.1 * (drifting ^ mask).mean()
    picture = label_picture(image, drifting, corners)
    assert picture.shape[0] > image.shape[0]
    assert picture.shape[1] > 2 * image.shape[1]


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "vlse").is_dir(), reason="no ../shared/data/vlse")
def test_the_published_methods_own_patches_raise_no_doubt() -> None:
    index = index_dataset(DATA / "vlse", divide=False)
    assert check_labels(index.samples, index.pore_label) == []
