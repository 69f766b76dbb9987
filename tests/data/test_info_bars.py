"""Microscopes write a strip of text below their images: a data set with it is the data set without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import index_dataset
from pipeline.data.leaks import search_leaks
from pipeline.errors import UserError
from pipeline.synthetic import SceneSettings, generate
from tests.images.microscope.bars import one_line

SIZE, BAR = (160, 320), 40


def write(folder: Path, barred_image: bool, barred_label: bool = True, junk: int = 0) -> Path:
    """Four images of rock; `junk` is what a thresholded mask holds where the bar is."""
    strip = one_line(BAR, SIZE[1], 0, 255)
    for number in range(4):
        made = generate(SIZE, number, SceneSettings())
        image, label = made.image, (made.label > 0).astype(np.uint8) * 255
        if barred_image:
            image = np.vstack([image, strip])
        if barred_image and barred_label:
            label = np.vstack([label, np.full_like(strip, junk)])
        for kind, pixels in (("images", image), ("labels", label)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    return folder


@pytest.mark.parametrize("label", [{"barred_label": False}, {"junk": 0}, {"junk": 255}])
def test_it_is_indexed_as_without_the_bar(tmp_path: Path, label: dict) -> None:
    bare = index_dataset(write(tmp_path / "bare", barred_image=False))
    barred = index_dataset(write(tmp_path / "barred", barred_image=True, **label))
    assert any("info bar is cut off in 4 image(s), 40 rows" in note for note in barred.notes)
    assert not any("info bar" in note for note in bare.notes)
    for one, other in zip(bare.samples, barred.samples, strict=True):
        assert (one.shape, one.porosity, one.split) == (other.shape, other.porosity, other.split)
        np.testing.assert_array_equal(one.read_image(), other.read_image())
        np.testing.assert_array_equal(one.read_label(), other.read_label())


def test_the_user_decides(tmp_path: Path) -> None:
    folder = write(tmp_path, barred_image=True)
    assert index_dataset(folder, info_bar="keep").samples[0].shape == (SIZE[0] + BAR, SIZE[1])
    assert index_dataset(folder, info_bar=50).samples[0].shape == (SIZE[0] - 10, SIZE[1])
    with pytest.raises(UserError, match="--info_bar 900 leaves nothing"):
        index_dataset(folder, info_bar=900)


@pytest.mark.parametrize("barred_label", [False, True])
def test_a_bar_on_top_that_the_user_names(tmp_path: Path, barred_label: bool) -> None:
    bare = index_dataset(write(tmp_path / "bare", barred_image=False))
    folder = write(tmp_path / "barred", barred_image=True, barred_label=barred_label)
    for path in [*folder.glob("images/*"), *(folder.glob("labels/*") if barred_label else ())]:
        Image.fromarray(np.roll(np.asarray(Image.open(path)), BAR, axis=0)).save(path)
    barred = index_dataset(folder, info_bar=f"top:{BAR}")
    for one, other in zip(bare.samples, barred.samples, strict=True):
        np.testing.assert_array_equal(one.read_image(), other.read_image())
        np.testing.assert_array_equal(one.read_label(), other.read_label())


def test_a_label_without_the_bar_tells_what_to_give(tmp_path: Path) -> None:
    folder = write(tmp_path, barred_image=True, barred_label=False)
    with pytest.raises(
        UserError, match="or give --info_bar 40 if the image's lowest 40 rows are an info bar \\(top:40 for"
    ):
        index_dataset(folder, info_bar="keep")
    assert len(index_dataset(folder, info_bar=40).samples) == 4


def test_bars_that_are_alike_are_no_shared_content(tmp_path: Path) -> None:
    assert not search_leaks(index_dataset(write(tmp_path, barred_image=True)).samples).leaks
