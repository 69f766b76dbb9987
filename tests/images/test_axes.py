"""Files of several channels or times are no volume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from pipeline.errors import UserError
from pipeline.images import open_image, open_stack
from pipeline.images.volume import ScanVolume, open_volume
from tests.images.cases import assert_reads, noise
from tests.images.test_zarr_image import write_ome


def as_tiff(path: Path, axes: str, pixels: np.ndarray, **options: bool) -> Path:
    file = path.with_suffix(".ome.tif" if options.get("ome") else ".tif")
    tifffile.imwrite(file, pixels, photometric="minisblack", metadata={"axes": axes}, **options)
    return file


def as_ome(path: Path, axes: str, pixels: np.ndarray) -> Path:
    return as_tiff(path, axes, pixels, ome=True)


def as_imagej(path: Path, axes: str, pixels: np.ndarray) -> Path:
    return as_tiff(path, axes, pixels, imagej=True)


def as_zarr(path: Path, axes: str, pixels: np.ndarray) -> Path:
    write_ome(str(path.with_suffix(".zarr")), pixels, axes.lower(), 2)
    return path.with_suffix(".zarr")


def as_nifti(path: Path, axes: str, pixels: np.ndarray) -> Path:
    order = [axes.index(axis) for axis in "XYZT" if axis in axes]
    nibabel.save(nibabel.Nifti1Image(pixels.transpose(order), np.eye(4)), path.with_suffix(".nii"))
    return path.with_suffix(".nii")


Write = Callable[[Path, str, np.ndarray], Path]
CASES: list[tuple[Write, str, tuple[int, ...], str]] = [
    (as_ome, "CYX", (2,), "2 channels, not the slices of one volume; save one channel"),
    (as_ome, "TYX", (5,), r"5 times, .* if they are slices, say so"),
    (as_ome, "TCZYX", (2, 2, 3), "2 times x 2 channels x 3 slices, .* save one time and channel as a stack"),
    (as_imagej, "ZCYX", (3, 2), "3 slices x 2 channels"),
    (as_imagej, "TYX", (5,), "5 times"),
    (as_tiff, "ZCYX", (3, 2), "3 slices x 2 channels"),
    (as_zarr, "CZYX", (2, 3), "2 channels x 3 slices"),
    (as_zarr, "TYX", (5,), "5 times"),
    (as_nifti, "TZYX", (2, 3), "3 slices x 2 times"),
]


@pytest.mark.parametrize(("write", "axes", "sizes", "message"), CASES)
def test_channels_and_times_are_no_slices(
    tmp_path: Path, write: Write, axes: str, sizes: tuple[int, ...], message: str
) -> None:
    pixels = noise((*sizes, 40, 50))
    path = write(tmp_path / "a", axes, pixels)
    count = int(np.prod(sizes))
    with open_volume(str(path), stack=True) as volume, pytest.raises(UserError, match=message) as told:
        volume.fingerprint()
    assert f"--page 0 to {count - 1}" in str(told.value)
    assert "\n" not in str(told.value)
    with pytest.raises(UserError, match=message):
        open_stack(path)[1]
    with pytest.raises(UserError, match=f"{count}.*--page 0 to {count - 1}$"):  # and no word of --stack
        open_image(path)
    for number, plane in enumerate(pixels.reshape(-1, 40, 50)):
        if write is not as_nifti:  # whose times are the last axis
            with open_image(path, page=number) as source:
                assert_reads(source, plane)
    with ScanVolume(open_stack(path)) as volume:  # as `vlsenet info` looks at it
        assert volume.depth == count


@pytest.mark.parametrize(
    ("write", "axes"),
    [
        (as_ome, "ZYX"),
        (as_ome, "TCZYX"),
        (as_imagej, "ZYX"),
        (as_imagej, "TZCYX"),
        (as_tiff, "QYX"),
        (as_tiff, "ZYX"),
        (as_zarr, "ZYX"),
        (as_zarr, "TCZYX"),
        (as_nifti, "ZYX"),
        (as_nifti, "TZYX"),
    ],
)
def test_axes_of_length_one_and_axes_without_a_name_do_not_matter(tmp_path: Path, write: Write, axes: str) -> None:
    sizes = [4 if axis in "ZQ" else 1 for axis in axes[:-2]]
    pixels = noise((*sizes, 40, 50))
    path = write(tmp_path / "a", axes, pixels)
    with pytest.raises(UserError, match=r"--page 0 to 3, or give --stack"):
        open_image(path)
    stack = open_stack(path)
    assert stack.fingerprint()["slices"] == 4
    for source, plane in zip(stack, pixels.reshape(-1, 40, 50), strict=True):
        assert_reads(source, plane)


def test_several_volumes_are_not_one(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for seed in range(2):
            writer.write(noise((3, 40, 50), seed=seed), photometric="minisblack", metadata={"axes": "ZYX"})
    with pytest.raises(UserError, match="holds 2 images of OME, of which each may be a volume"):
        open_stack(tmp_path / "a.ome.tif").fingerprint()
    with open_image(tmp_path / "a.ome.tif", page=4) as source:
        assert_reads(source, noise((3, 40, 50), seed=1)[1])


def test_several_single_images_of_ome_are_a_stack(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for seed in range(3):
            writer.write(noise((40, 50), seed=seed), metadata={"axes": "YX"})
    for seed, source in enumerate(open_stack(tmp_path / "a.ome.tif")):
        assert_reads(source, noise((40, 50), seed=seed))
