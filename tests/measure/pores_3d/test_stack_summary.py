from __future__ import annotations

import errno
import json
import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from pipeline.engine import mask_files
from pipeline.errors import UserError
from pipeline.images.rectangles import Roi, Rows
from pipeline.measure.pores_3d import LABELS, VOLUME_FILES, VOLUME_PARQUET, measure_stack
from pipeline.measure.pores_3d.stack_summary import VOLUME_FIGURE
from tests.images.arrays import volume_of
from tests.measure.pores_3d.stacks import MemoryStore, library_labels, stored

MASK = ndimage.gaussian_filter(np.random.default_rng(2).standard_normal((6, 40, 50)), 1.5) > 0.12
ROI = Roi(7, 5, 50, 40)
#: the scan that `stored` makes around the region: slices alike from one to the next
GREY = ndimage.gaussian_filter(np.random.default_rng(3).standard_normal((6, 48, 59), np.float32), (3, 1, 1))


def test_everything_is_written(tmp_path: Path) -> None:
    store = stored(tmp_path, MASK, ROI)
    summary = measure_stack(
        tmp_path,
        volume_of(*GREY),
        store,
        rock_voxels=MASK.size,
        pixel_size_nm=20.0,
        slice_spacing_nm=50.0,
        labels=True,
    )
    assert all((tmp_path / name).is_file() for name in VOLUME_FILES)
    assert not list(tmp_path.glob(".*"))
    assert summary.slices == 6
    assert summary.connectivity.porosity == pytest.approx(MASK.mean())
    assert summary.pore_volume_um3 == pytest.approx(MASK.sum() * 2e-5)
    assert summary.caveats == ()
    assert json.loads(json.dumps(summary.to_dict(), allow_nan=False))["connectivity"]["pores"] > 1

    thin = measure_stack(
        tmp_path / "thin", volume_of(*GREY), store, rock_voxels=MASK.size, pixel_size_nm=20.0, slice_spacing_nm=2.0
    )
    assert [caveat[:18] for caveat in thin.caveats] == ["The stack is thin:"]

    image = nib.load(tmp_path / LABELS)
    labels = np.asarray(image.dataobj)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels.T, library_labels(MASK))
    np.testing.assert_allclose(image.header.get_zooms(), (0.02, 0.02, 0.05))
    assert image.header.get_xyzt_units()[0] == "micron"
    # label, table and affine agree on where a pore lies, in micrometres of the scan
    rows = pd.read_parquet(tmp_path / VOLUME_PARQUET)
    assert len(rows) == labels.max() == summary.connectivity.pores
    centres = np.array(ndimage.center_of_mass(labels > 0, labels, rows["pore"]))
    placed = nib.affines.apply_affine(image.affine, centres)
    np.testing.assert_allclose(placed, rows[["centroid_x_um", "centroid_y_um", "centroid_z_um"]], rtol=1e-6, atol=1e-6)


def test_the_same_stack_gives_the_same_files(tmp_path: Path) -> None:
    files = []
    for chunk in (16, 64):
        folder = tmp_path / str(chunk)
        store = MemoryStore(MASK, chunk)
        measure_stack(folder, volume_of(*GREY[:, :40, :50]), store, rock_voxels=MASK.size, labels=True)
        files.append([(folder / name).read_bytes() for name in VOLUME_FILES if name != VOLUME_FIGURE])
    assert files[0] == files[1]


def test_without_sizes_there_are_voxels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore(MASK)
    with caplog.at_level(logging.WARNING, "vlsenet"):
        summary = measure_stack(
            tmp_path, volume_of(*GREY[:, :40, :50]), store, rock_voxels=MASK.size, pixel_size_nm=20.0
        )
    assert summary.pore_volume_um3 is None
    assert any("volumes are in voxels" in caveat for caveat in summary.caveats)
    assert "volumes are in voxels" in caplog.text
    assert "volume_um3" not in pd.read_parquet(tmp_path / VOLUME_PARQUET)
    assert not (tmp_path / LABELS).exists()


def test_shifted_slices_are_told(tmp_path: Path) -> None:
    wide = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((200, 220), np.float32), 3)
    slices = [wide[:160, 10 * i : 10 * i + 150] for i in range(5)]
    store = MemoryStore(np.zeros((5, 160, 150), bool))
    summary = measure_stack(tmp_path, volume_of(*slices), store, rock_voxels=5 * 160 * 150)
    assert summary.shifts.median_px == pytest.approx(10, abs=0.5)
    assert any("shifted against each other by" in caveat for caveat in summary.caveats)


def test_an_info_bar_does_not_close_the_last_row(tmp_path: Path) -> None:
    """A pore that runs down to the info bar leaves the sample there."""
    mask = np.zeros((3, 40, 50), bool)
    mask[:, :34, 10:14] = True
    volume = volume_of(*GREY[:3, :40, :50])
    volume.rows = Rows(0, 34)
    summary = measure_stack(tmp_path, volume, MemoryStore(mask), rock_voxels=3 * 34 * 50)
    assert summary.connectivity.y.percolating_share == 1
    assert summary.connectivity.porosity == pytest.approx(4 / 50)
    assert pd.read_parquet(tmp_path / VOLUME_PARQUET)["touches_y_max"].all()


def test_an_info_bar_on_top_does_not_close_the_first_row(tmp_path: Path) -> None:
    """What is measured is that of the stack without the bar, at the places of the files."""
    mask = np.zeros((3, 40, 50), bool)
    mask[:, 6:36, 10:14] = True
    mask[1, 38, 30:33] = True
    volume = volume_of(*GREY[:3, :40, :50])
    volume.rows = Rows(6, 40)
    barred = measure_stack(tmp_path / "barred", volume, MemoryStore(mask), rock_voxels=3 * 34 * 50)
    plain = measure_stack(
        tmp_path / "plain", volume_of(*GREY[:3, 6:40, :50]), MemoryStore(mask[:, 6:]), rock_voxels=3 * 34 * 50
    )
    assert barred.connectivity == plain.connectivity
    tables = [pd.read_parquet(tmp_path / name / VOLUME_PARQUET) for name in ("barred", "plain")]
    assert tables[0]["touches_y_min"].to_list() == [True, False]
    moved = [name for name in tables[0] if name.startswith(("y_", "centroid_y", "bbox_y", "min_y", "max_y"))]
    assert moved
    for name in moved:
        np.testing.assert_allclose(tables[0][name], tables[1][name] + 6)
    others = [name for name in tables[0] if name not in moved]
    pd.testing.assert_frame_equal(tables[0][others], tables[1][others])


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(mask_files.gzip.GzipFile):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(mask_files.gzip, "GzipFile", Full)
    store = MemoryStore(MASK)
    folder = tmp_path / "results"
    with pytest.raises(UserError, match="no space left"):
        measure_stack(folder, volume_of(*GREY[:, :40, :50]), store, rock_voxels=1, labels=True)
    assert list(folder.iterdir()) == []
