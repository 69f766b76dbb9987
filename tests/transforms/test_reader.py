from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Spacingd

from pipeline.images import read_image
from pipeline.transforms import SEMReader
from tests.images.microscope.files import IMAGE, fei, write

LOAD = Compose([LoadImaged("image", reader=SEMReader, image_only=True), EnsureChannelFirstd("image")])


def load(path: Path) -> MetaTensor:
    image: Any = LOAD({"image": str(path)})["image"]
    return image


def test_rows_first_in_the_files_own_range(tmp_path: Path) -> None:
    image = load(write(tmp_path / "a.tif"))
    assert image.shape == (1, *IMAGE.shape)
    np.testing.assert_array_equal(image[0].numpy(), IMAGE)


def test_pixel_size_is_the_affine_in_nm(tmp_path: Path) -> None:
    image = load(write(tmp_path / "a.tif", {34682: fei(4e-9, 5e-9)}))
    assert image.pixdim.tolist() == pytest.approx([5, 4])  # rows (y) first
    torch.testing.assert_close(image.affine, torch.diag(torch.tensor([5.0, 4.0, 1.0], dtype=torch.float64)))
    assert image.meta["space_unit"] == "nm"
    found = image.meta["acquisition"]
    assert (found["voltage_kv"], found["detector"], found["bar_height"]) == (5, "TLD", 6)
    assert "not square" in found["warnings"]


def test_an_unknown_pixel_size_is_an_affine_of_one(tmp_path: Path) -> None:
    image = load(write(tmp_path / "a.tif"))
    assert torch.equal(image.affine, torch.eye(3, dtype=torch.float64))
    assert image.meta["space_unit"] == "px"
    assert np.isnan(image.meta["acquisition"]["pixel_width_nm"])


def test_batches_of_known_and_unknown_scale_collate(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.tif", {34682: fei()}), write(tmp_path / "b.tif")]
    dataset = Dataset([{"image": str(path)} for path in paths], LOAD)
    (batch,) = DataLoader(dataset, batch_size=2, num_workers=0)
    parts = [item["image"] for item in decollate_batch(batch)]
    assert [part.pixdim.tolist() for part in parts] == [pytest.approx([4, 4]), [1, 1]]
    assert [part.meta["acquisition"]["detector"] for part in parts] == ["TLD", ""]


def test_monais_spacing_resamples_by_it(tmp_path: Path) -> None:
    image = load(write(tmp_path / "a.tif", {34682: fei(4e-9)}))
    out = Spacingd("image", pixdim=(8, 8), mode="bilinear")({"image": image})["image"]
    assert out.shape == (1, IMAGE.shape[0] // 2, IMAGE.shape[1] // 2)


def test_reading_again_costs_no_more_than_the_pixels(tmp_path: Path) -> None:
    path, reader = write(tmp_path / "a.tif", {34682: fei()}), SEMReader()
    reader.read(path)

    def best(read: Any) -> float:
        times = []
        for _ in range(20):
            start = time.perf_counter()
            read(path)
            times.append(time.perf_counter() - start)
        return min(times)

    assert best(reader.read) < 1.5 * best(read_image) + 1e-3


def test_a_changed_file_is_looked_at_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    assert load(path).meta["space_unit"] == "px"
    time.sleep(0.02)
    write(path, {34682: fei()})
    assert load(path).meta["space_unit"] == "nm"
