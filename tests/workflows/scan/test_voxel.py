"""How large a voxel is: what the user gives, what the file tells, and what is told where neither does."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
import zarr

from pipeline.images.microscope.findings import square_side
from pipeline.images.volume import ScanVolume, open_volume
from pipeline.synthetic import generate
from pipeline.workflows import ScanSegmentation, ScanSettings
from pipeline.workflows.scan.voxel import log_voxel, pixel_size_of, slice_spacing_of
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import settings_of

SLICES = np.stack([generate((64, 72), seed=number).image for number in range(3)])


def nifti(folder: Path, z: float = 0.025) -> Path:
    image = nibabel.Nifti1Image(SLICES.T, np.diag([0.01, 0.01, z, 1]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, folder / "v.nii.gz")
    return folder / "v.nii.gz"


def tiff(folder: Path, height: float = 10, width: float = 10) -> Path:
    resolution = {"resolution": (1e7 / width, 1e7 / height), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(folder / "v.tif", SLICES, photometric="minisblack", metadata=None, **resolution)
    return folder / "v.tif"


def opened(path: Path, stack: bool = True, page: int | None = None) -> ScanVolume:
    return open_volume(str(path), stack=stack, page=page)


def settings(**given: float) -> ScanSettings:
    return settings_of(**given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 25),
        ({"slice_spacing_nm": 30.0}, 30),
        ({"pixel_size_nm": 10.0}, 25),
        ({"pixel_size_nm": 12.0}, None),  # where the one size is wrong, so may be the other
        ({"pixel_size_nm": 12.0, "slice_spacing_nm": 30.0}, 30),
    ],
)
def test_the_users_distance_goes_before_the_files(
    tmp_path: Path, given: dict[str, float], expected: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="vlsenet")
    with opened(nifti(tmp_path)) as volume:
        assert slice_spacing_of(volume, settings(**given)) == pytest.approx(expected)
        log_voxel(volume, settings(**given))
    assert ("slice spacing (25 nm) not used" in caplog.text) == (expected is None)
    assert (f"slice spacing: {expected} nm" in caplog.text) == (expected is not None)


def test_a_distance_that_is_not_known_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tiff(tmp_path)) as volume:
        assert slice_spacing_of(volume, settings()) is None
        log_voxel(volume, settings())
    assert "slice spacing not known" in caplog.text
    assert "--slice_spacing_nm" in caplog.text
    caplog.clear()
    with opened(tmp_path / "v.tif", stack=False, page=1) as volume:
        log_voxel(volume, settings())
    assert not caplog.records


@pytest.mark.parametrize(("height", "square"), [(10.0, True), (10.06, True), (10.2, False), (12.0, False)])
def test_lengths_need_pixels_that_are_square_to_one_percent(
    tmp_path: Path, height: float, square: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tiff(tmp_path, height), stack=False, page=0) as volume:
        side = square_side(pixel_size_of(volume, settings()))
        log_voxel(volume, settings())
        # some releases of tifffile round the fractions that a TIFF has for resolutions
        assert side == (pytest.approx((10 * height) ** 0.5, rel=1e-4) if square else None)
        assert caplog.text.count("lengths and areas are given in pixels") == (not square)
        assert square_side(pixel_size_of(volume, settings(pixel_size_nm=7.0))) == 7


def test_results_have_the_files_distance_of_slices(tmp_path: Path) -> None:
    model = trained_model(tmp_path)
    chosen = settings_of(chunk_size=256, precision="float32", report=False, formats="tiff,nifti", stack=True)
    folder = tmp_path / "out"
    ScanSegmentation(str(nifti(tmp_path)), folder, model, chosen).run()
    header = nibabel.load(folder / "mask.nii.gz").header
    np.testing.assert_allclose(header.get_zooms(), (0.01, 0.01, 0.025), rtol=1e-6)
    with tifffile.TiffFile(folder / "mask.ome.tif") as file:
        assert 'PhysicalSizeZ="25.0' in file.ome_metadata
    (scales,) = zarr.open_group(str(folder / "segmentation.ome.zarr"), mode="r").attrs["multiscales"]
    assert scales["datasets"][0]["coordinateTransformations"][0]["scale"] == pytest.approx([1, 1, 25, 10, 10])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["slice_spacing_nm"] == pytest.approx(25)
    assert manifest["request"]["slice_spacing_nm"] is None  # what the user gave: earlier scans go on


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (10.0, None),
        (10.05, None),  # the file's number, rounded
        (20.0, "20 nm, as given, although the file says 10 nm; without --pixel_size_nm the file's is used"),
        (0.01, "0.01 nm, as given, although the file says 10 nm; without --pixel_size_nm the file's is used"),
    ],
)
def test_a_size_that_is_not_the_files_is_told(
    tmp_path: Path, given: float, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tiff(tmp_path), stack=False, page=0) as volume:
        log_voxel(volume, settings(pixel_size_nm=given))
    assert [told] * bool(told) == [record.message.split("pixel size: ")[1] for record in caplog.records]


@pytest.mark.parametrize(("given", "unusual"), [(0.05, True), (0.5, False), (20000.0, False), (5e7, True)])
def test_a_size_in_another_unit_is_noticed(
    tmp_path: Path, given: float, unusual: bool, caplog: pytest.LogCaptureFixture
) -> None:
    tifffile.imwrite(tmp_path / "v.tif", SLICES[0])
    with opened(tmp_path / "v.tif", stack=False) as volume:
        log_voxel(volume, settings(pixel_size_nm=given))
    assert ("unusual" in caplog.text) == unusual
