from __future__ import annotations

import errno
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile

from pipeline.engine import ScanStore, export_nifti, export_tiff, mask_files
from pipeline.engine.store import MASK
from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.tiling.chunk_plan import ChunkPlan
from tests.engine.scans import write_all, write_phases

PLANS = [
    ChunkPlan(150, 117, chunk=32, block=16),
    ChunkPlan(70, 50, depth=3, chunk=32, block=16, roi=Roi(4, 6, 40, 50)),
    ChunkPlan(20, 20, chunk=32, block=16),
]


def level_of(store: ScanStore, level: int) -> np.ndarray:
    depth, rows, columns = store.grid(level)
    return np.stack(
        [
            np.block([[store.read(level, MASK, (z, y, x)) for x in range(columns)] for y in range(rows)])
            for z in range(depth)
        ]
    )


@pytest.mark.parametrize("plan", PLANS)
def test_tiff_holds_all_levels(tmp_path: Path, plan: ChunkPlan) -> None:
    store = write_all(tmp_path / "a.ome.zarr", plan)
    export_tiff(store, tmp_path / "a.ome.tif", pixel_size_nm=20.0)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert file.is_ome
        (series,) = file.series
        assert len(series.levels) == len(store.shapes)
        for level, pixels in enumerate(series.levels):
            expected = level_of(store, level)
            np.testing.assert_array_equal(pixels.asarray(), expected.squeeze())
        page = file.pages[0]
        assert page.is_tiled
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert page.resolution == (1e7 / 20, 1e7 / 20)
        assert 'PhysicalSizeX="20.0" PhysicalSizeXUnit="nm"' in file.ome_metadata


def test_tiff_of_an_identity_has_the_same_bytes(tmp_path: Path) -> None:
    store = write_all(tmp_path / "a.ome.zarr")
    for name, identity in (("a", "request"), ("b", "request"), ("c", "another")):
        export_tiff(store, tmp_path / f"{name}.ome.tif", identity=identity)
    a, b, c = ((tmp_path / f"{name}.ome.tif").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("plan", PLANS)
def test_tiff_tells_the_distance_of_slices_where_there_are_several(tmp_path: Path, plan: ChunkPlan) -> None:
    store = write_all(tmp_path / "a.ome.zarr", plan)
    export_tiff(store, tmp_path / "a.ome.tif", pixel_size_nm=20.0, slice_spacing_nm=50.0)
    export_tiff(store, tmp_path / "b.ome.tif", pixel_size_nm=20.0)
    told = [tifffile.TiffFile(tmp_path / name).ome_metadata for name in ("a.ome.tif", "b.ome.tif")]
    assert ('PhysicalSizeZ="50.0" PhysicalSizeZUnit="nm"' in told[0]) == (plan.depth > 1)
    assert "PhysicalSizeZ" not in told[1]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_is_in_scale(tmp_path: Path, plan: ChunkPlan, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_files, "_BAND_PIXELS", 500)
    store = write_all(tmp_path / "a.ome.zarr", plan)
    export_nifti(store, tmp_path / name, pixel_size_nm=20.0, slice_spacing_nm=50.0)
    image = nib.load(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(image.dataobj), level_of(store, 0).T)
    np.testing.assert_allclose(image.header.get_zooms(), (0.02, 0.02, 0.05))
    assert image.header.get_xyzt_units()[0] == "micron"
    x, y, *_ = plan.region
    np.testing.assert_allclose(image.affine @ [0, 0, 0, 1], [0.02 * x, 0.02 * y, 0, 1])


def test_nifti_without_a_pixel_size_has_no_unit(tmp_path: Path) -> None:
    """Also where the distance of slices is known: pixels and nanometres are not mixed in one affine."""
    store = write_all(tmp_path / "a.ome.zarr", PLANS[1])
    export_nifti(store, tmp_path / "a.nii", slice_spacing_nm=50.0)
    image = nib.load(tmp_path / "a.nii")
    np.testing.assert_array_equal(image.header.get_zooms(), (1, 1, 1))
    assert image.header.get_xyzt_units()[0] == "unknown"


def test_nifti_of_a_wide_scan(tmp_path: Path) -> None:
    """A side beyond 16 bits, which NIfTI-1 cannot hold."""
    store = write_all(tmp_path / "a.ome.zarr", ChunkPlan(1, 32768, chunk=1024, block=256))
    export_nifti(store, tmp_path / "a.nii")
    image = nib.load(tmp_path / "a.nii")
    np.testing.assert_array_equal(np.asarray(image.dataobj), level_of(store, 0).T)


def test_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = write_all(tmp_path / "a.ome.zarr")
    read = ScanStore.read

    def full(self: ScanStore, level: int, channel: int, at: tuple[int, int, int]) -> np.ndarray:
        if at == (0, 2, 0):
            raise OSError(errno.ENOSPC, "no space left on device")
        return read(self, level, channel, at)

    monkeypatch.setattr(ScanStore, "read", full)
    for write, name in ((export_tiff, "a.ome.tif"), (export_nifti, "a.nii"), (export_nifti, "a.nii.gz")):
        with pytest.raises(UserError, match="no space left"):
            write(store, tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_files_of_several_phases_hold_their_numbers_and_names(tmp_path: Path) -> None:
    store = write_phases(tmp_path / "a.ome.zarr", PLANS[1])
    export_tiff(store, tmp_path / "a.ome.tif")
    export_nifti(store, tmp_path / "a.nii")
    expected = level_of(store, 0)
    assert set(np.unique(expected)) == {0, 1, 2}
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        np.testing.assert_array_equal(file.asarray(), expected)
        assert "0 none, 1 pore, 2 silt grain" in file.ome_metadata
    image = nib.load(tmp_path / "a.nii")
    np.testing.assert_array_equal(np.asarray(image.dataobj), expected.T)
    assert bytes(image.header["descrip"].item()) == b"0 none, 1 pore, 2 silt grain"
    assert image.header.get_intent()[0] == "label"


def test_unknown_suffix(tmp_path: Path) -> None:
    store = ScanStore.create(tmp_path / "a.ome.zarr", PLANS[0], "request")
    with pytest.raises(UserError, match=r"\.nii\.gz"):
        export_nifti(store, tmp_path / "a.tif")
