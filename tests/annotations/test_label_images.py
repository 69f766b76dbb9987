"""Label images, masks in colour and corrected results to the labels of a data set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from pipeline.cli.main import main
from pipeline.data import index_dataset
from pipeline.errors import MISTAKE
from tests.annotations.drawn_rock import H, W, imported, labels, square, triangle


def test_label_images_and_their_values(rock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.zeros((H, W), np.uint16)
    values[square()], values[triangle()] = 3, 9
    tifffile.imwrite(tmp_path / "a_labels.tif", values)
    assert main(["import-labels", str(rock), str(tmp_path / "a_labels.tif")]) == MISTAKE
    assert "holds the values 0, 3, 9, and nothing says what 3 is" in capsys.readouterr().err
    imported(rock, tmp_path / "a_labels.tif", "--phases", "pore=3, rest=9")
    np.testing.assert_array_equal(labels(rock)["pore"], square())
    np.testing.assert_array_equal(labels(rock)["rest"], triangle())
    # the data set reads what was written
    index = index_dataset(rock, skip_bad=True, divide=False)
    assert index.samples[0].labelled == (square() | triangle()).sum()


def test_masks_in_colour(rock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    colours = np.zeros((H, W, 3), np.uint8)
    colours[square()], colours[triangle()] = (255, 0, 0), (0, 128, 255)
    Image.fromarray(colours).save(tmp_path / "a.png")
    table = tmp_path / "colours.csv"
    table.write_text("colour,phase\n#ff0000,pore\n#000000,rest\n")
    assert main(["import-labels", str(rock), str(tmp_path / "a.png"), "--colours", str(table)]) == MISTAKE
    assert "1 colours that --colours does not name: #0080ff (450 pixels)" in capsys.readouterr().err.replace(
        str(triangle().sum()), "450"
    )
    assert main(["import-labels", str(rock), str(tmp_path / "a.png")]) == MISTAKE
    assert "say what its colours mean, as in --colours" in capsys.readouterr().err
    imported(rock, tmp_path / "a.png", "--colours", "pore=#ff0000, clay=#0080ff, rest=#000000")
    np.testing.assert_array_equal(labels(rock)["clay"], triangle())
    np.testing.assert_array_equal(labels(rock)["rest"], ~(square() | triangle()))


@pytest.fixture
def result(tmp_path: Path) -> Callable[..., Path]:
    def make(**request: object) -> Path:
        folder = tmp_path / "a_pores"
        folder.mkdir()
        asked = {"scan": {"name": "a.tif"}, "region": [0, 0, W, H], **request}
        (folder / "manifest.json").write_text(json.dumps({"request": asked}))
        return folder

    return make


def test_a_corrected_mask_of_our_own_whatever_its_values(rock: Path, result: Callable[..., Path]) -> None:
    mask = np.where(square(), 255, 0).astype(np.uint8)
    mask[triangle()] = 1  # as napari paints
    tifffile.imwrite(result() / "mask.ome.tif", mask)
    imported(rock, rock.parent / "a_pores" / "mask.ome.tif")
    np.testing.assert_array_equal(labels(rock)["pore"], square() | triangle())
    np.testing.assert_array_equal(labels(rock)["rest"], ~(square() | triangle()))


def test_corrected_labels_of_a_part_of_a_scan(rock: Path, result: Callable[..., Path]) -> None:
    folder = result(phases=["pore", "clay"], region=[10, 20, 80, 50])
    codes = np.where(square(), 1, np.where(triangle(), 2, 0)).astype(np.uint8)[20:70, 10:90]
    place = folder / "segmentation.ome.zarr" / "labels" / "phases" / "0"
    zarr.open(str(place), mode="w", shape=codes.shape, chunks=(32, 32), dtype="uint8")[:] = codes
    imported(rock, place)
    found = labels(rock)
    np.testing.assert_array_equal(found["pore"], square())
    assert found["unlabelled"].sum() == H * W - 80 * 50
    assert found["clay"].sum() == (codes == 2).sum()
