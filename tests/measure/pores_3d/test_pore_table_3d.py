from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from skimage.measure import regionprops

from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.measure.pores_3d import pore_table_3d
from pipeline.measure.pores_3d.labelling import label_volume
from pipeline.measure.pores_3d.pore_table_3d import (
    VOLUME_CSV,
    VOLUME_PARQUET,
    Voxel,
    volume_columns,
    write_volume_table,
)
from pipeline.tiling.chunk_plan import ChunkPlan
from tests.measure.pores_3d.stacks import MemoryStore, library_labels
from tests.paths import ROOT

MASK = np.random.default_rng(5).random((6, 40, 50)) < 0.06
PLAN = ChunkPlan(60, 70, depth=6, chunk=64, block=64, roi=Roi(7, 5, 50, 40))


def write(folder: Path, voxel: Voxel | None) -> pd.DataFrame:
    write_volume_table(label_volume(MemoryStore(MASK)), folder, PLAN.region, voxel, MASK.shape)
    return pd.read_parquet(folder / VOLUME_PARQUET)


def test_equals_scikit_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels of 20 nm, slices of 50 nm, a region from x 7, y 5 on."""
    monkeypatch.setattr(pore_table_3d, "GROUP", 100)
    rows = write(tmp_path, Voxel(20, 50))
    spaced = regionprops(library_labels(MASK), spacing=(0.05, 0.02, 0.02))
    plain = regionprops(library_labels(MASK))
    assert len(rows) == len(spaced) > 100
    np.testing.assert_array_equal(rows["pore"], np.arange(1, len(rows) + 1))
    np.testing.assert_array_equal(rows["volume_voxels"], [pore.area for pore in plain])
    np.testing.assert_allclose(rows["volume_um3"], [pore.area for pore in spaced], rtol=1e-12)
    np.testing.assert_allclose(
        rows["equivalent_diameter_um"], [pore.equivalent_diameter_area for pore in spaced], rtol=1e-12
    )
    np.testing.assert_allclose(rows["equivalent_diameter_px"] * 0.02, rows["equivalent_diameter_um"], rtol=1e-12)
    boxes = np.array([pore.bbox for pore in plain])
    np.testing.assert_array_equal(rows["bbox_slice"], boxes[:, 0])
    np.testing.assert_array_equal(rows["bbox_y_px"], boxes[:, 1] + 5)
    np.testing.assert_array_equal(rows["bbox_x_px"], boxes[:, 2] + 7)
    np.testing.assert_array_equal(rows["slices"], boxes[:, 3] - boxes[:, 0])
    np.testing.assert_array_equal(rows["bbox_height_px"], boxes[:, 4] - boxes[:, 1])
    np.testing.assert_array_equal(rows["bbox_width_px"], boxes[:, 5] - boxes[:, 2])
    centroids = np.add([pore.centroid for pore in plain], (0, 5, 7))
    np.testing.assert_allclose(rows[["centroid_slice", "centroid_y_px", "centroid_x_px"]], centroids, rtol=1e-12)
    np.testing.assert_allclose(
        rows[["centroid_z_um", "centroid_y_um", "centroid_x_um"]], centroids * [0.05, 0.02, 0.02], rtol=1e-12
    )
    for column, (place, end) in {"z_min": (0, 0), "y_min": (1, 0), "x_min": (2, 0)}.items():
        np.testing.assert_array_equal(rows[f"touches_{column}"], boxes[:, place] == end)
    for column, (place, end) in {"z_max": (3, 6), "y_max": (4, 40), "x_max": (5, 50)}.items():
        np.testing.assert_array_equal(rows[f"touches_{column}"], boxes[:, place] == end)


def test_csv_holds_the_same(tmp_path: Path) -> None:
    rows = write(tmp_path, Voxel(20, 50))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / VOLUME_CSV), rows, check_dtype=False)


def test_columns_and_units_stand_in_the_file(tmp_path: Path) -> None:
    write(tmp_path, None)
    schema = pq.read_schema(tmp_path / VOLUME_PARQUET)
    assert schema.names == [column.name for column in volume_columns(scaled=False)]
    assert not any("um" in name.split("_")[-1] for name in schema.names)
    assert schema.field("volume_voxels").metadata[b"unit"] == b"voxel"
    assert json.loads(schema.metadata[b"vlsenet"])["connectivity"] == 26


def test_without_pores_there_are_columns(tmp_path: Path) -> None:
    empty = np.zeros((2, 8, 8), bool)
    plan = ChunkPlan(8, 8, depth=2, chunk=16, block=16)
    write_volume_table(label_volume(MemoryStore(empty)), tmp_path, plan.region, None, empty.shape)
    assert pd.read_csv(tmp_path / VOLUME_CSV).shape == (0, len(volume_columns(scaled=False)))


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(UserError, match="no space left"):
        write(tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_docs_name_every_column() -> None:
    text = (ROOT / "docs" / "measurements.md").read_text()
    section = text.split("# What is measured on a stack")[1]
    missing = [column.name for column in volume_columns(scaled=True) if f"`{column.name}`" not in section]
    assert missing == []


@pytest.mark.parametrize("side", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_voxel_is_refused(side: float) -> None:
    with pytest.raises(UserError, match="slice_spacing_nm"):
        Voxel.known(10.0, side)
    with pytest.raises(UserError, match="pixel_size_nm"):
        Voxel.known(side, None)
