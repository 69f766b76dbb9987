from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.workflows import pixel_sizes, trained_pixel_sizes


def index_of(folder: Path, sizes_nm: dict[str, float | None]) -> SimpleNamespace:
    """Images of stated pixel sizes; those named val* are for validation."""
    samples = []
    for name, size in sizes_nm.items():
        path = folder / f"{name}.tif"
        stated = {} if size is None else {"resolution": (1e7 / size, 1e7 / size), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(path, np.zeros((20, 20), np.uint8), **stated)
        samples.append(SimpleNamespace(name=name, image=path, split="val" if name.startswith("val") else "train"))
    training = [sample for sample in samples if sample.split == "train"]
    return SimpleNamespace(select={"train": training}.__getitem__)


def test_sizes_are_known_where_the_files_tell_them(tmp_path):
    pixels = np.arange(400, dtype=np.uint8).reshape(20, 20)
    metadata = {"axes": "YX", "PhysicalSizeX": 0.02, "PhysicalSizeY": 0.08}
    tifffile.imwrite(tmp_path / "ome.ome.tif", pixels, metadata=metadata)
    tifffile.imwrite(tmp_path / "plain.tif", pixels)
    Image.fromarray(pixels).save(tmp_path / "picture.png", dpi=(300, 300))
    (tmp_path / "broken.tif").write_bytes(b"II*\0")
    samples = [SimpleNamespace(name=path.stem, image=path) for path in tmp_path.iterdir()]
    assert pixel_sizes(samples) == {"ome.ome": pytest.approx(40)}


def test_training_and_evaluation_know_the_same_sizes(tmp_path):
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / "hitachi.bmp")
    (tmp_path / "hitachi.txt").write_text("[SemImageFile]\nImageName=hitachi.bmp\nPixelSize=9.92\nDataSize=20x20\n")
    samples = [SimpleNamespace(name="hitachi", image=tmp_path / "hitachi.bmp")]
    assert pixel_sizes(samples) == {"hitachi": pytest.approx(9.92)}
    assert trained_pixel_sizes(SimpleNamespace(select=lambda split: samples)) == [pytest.approx(9.92)]
    assert trained_pixel_sizes(SimpleNamespace(select=lambda split: samples), 5) == [5.0]


def test_pixel_sizes_are_those_of_the_training_images(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="vlsenet")
    index = index_of(tmp_path, {"a": 20.0, "b": 12.5, "c": 20.0, "d": None, "val": 5.0})
    assert trained_pixel_sizes(index) == pytest.approx([12.5, 20.0], rel=1e-4)
    assert "1 of 4 training images" in caplog.text
    assert trained_pixel_sizes(index, 7) == [7.0]
    assert trained_pixel_sizes(index_of(tmp_path, {"a": None})) == []
    assert "not known" in caplog.text
