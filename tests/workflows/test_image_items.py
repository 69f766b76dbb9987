from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.synthetic import SceneSettings, generate
from pipeline.workflows import image_items, items_left
from tests.images.microscope.bars import one_line


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.tif"):
        Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._b.png").write_bytes(b"a file of another system")
    return tmp_path


def test_a_folder_gives_its_images_in_order(folder):
    items = image_items(str(folder), "thin pores")
    assert [item["name"] for item in items] == ["a", "b"]
    assert {item["prompt"] for item in items} == {"thin pores"}
    assert [item["name"] for item in image_items(str(folder / "b.png"), "pore")] == ["b"]


def test_an_info_bar_is_left_out(tmp_path, caplog):
    rock = generate((120, 320), 0, SceneSettings()).image
    Image.fromarray(np.vstack([rock, one_line(40, 320, 0, 255)])).save(tmp_path / "barred.png")
    Image.fromarray(rock).save(tmp_path / "rock.png")
    with caplog.at_level(logging.INFO, "vlsenet"):
        barred, plain = image_items(str(tmp_path), "pore")
    assert ([*barred["rows"]], barred["height"]) == ([0, 120], 160)
    assert ([*plain["rows"]], plain["height"]) == ([0, 120], 120)
    assert "info bars cut off: barred (40 rows); --info_bar keep leaves them in" in caplog.text
    assert image_items(str(tmp_path / "barred.png"), "pore", info_bar="keep")[0]["rows"].tolist() == [0, 160]


def test_finished_images_are_left_out(folder):
    assert [item["name"] for item in items_left(image_items(str(folder), "pore"), {"a"})] == ["b"]


def test_bad_images_are_told_together_or_skipped(folder, caplog):
    (folder / "c.png").write_bytes((folder / "b.png").read_bytes()[:60])
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "d.png")
    with pytest.raises(UserError) as caught:
        image_items(str(folder), "pore")
    message = str(caught.value)
    assert "c.png" in message
    assert "d.png" in message
    assert "--skip_bad" in message
    with caplog.at_level(logging.WARNING, "vlsenet"):
        assert [item["name"] for item in image_items(str(folder), "pore", skip_bad=True)] == ["a", "b"]
    assert "c.png" in caplog.text


def test_folders_that_can_not_be_segmented(tmp_path, folder):
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(folder / "a.png")
    with pytest.raises(UserError, match=r"several images differ only in their extension \(a"):
        image_items(str(folder), "pore")
    empty = tmp_path / "empty"
    (empty / "images").mkdir(parents=True)
    with pytest.raises(UserError, match="images\\?"):
        image_items(str(empty), "pore")


def test_an_image_is_asked_with_its_own_sentence(folder):
    (folder / "text").mkdir()
    (folder / "text" / "a.txt").write_text("thin  pores\n")
    assert {item["prompt"] for item in image_items(str(folder), "pore")} == {"pore"}
    items = image_items(str(folder), "pore", sentences=True)
    assert {item["name"]: item["prompt"] for item in items} == {"a": "thin pores", "b": "pore"}


def test_images_carry_their_pixel_size(folder):
    assert all(np.isnan(item["pixel_size_nm"]).all() for item in image_items(str(folder), "pore"))
    (item,) = image_items(str(folder / "a.tif"), "pore", pixel_size_nm=12.5)
    assert item["pixel_size_nm"].tolist() == [12.5, 12.5]
