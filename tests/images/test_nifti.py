from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.images import nifti, open_image, open_stack, read_image
from tests.images.cases import assert_reads, noise


def save(path: Path, volume: np.ndarray, *, unit: str = "micron", kind: type = nibabel.Nifti1Image) -> Path:
    image = kind(volume, np.diag([0.004, 0.005, 0.01, 1]))
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_slices(tmp_path: Path, suffix: str, dtype: str, kind: type) -> None:
    volume = noise((31, 23, 4), dtype)  # x, y, z
    path = save(tmp_path / f"a{suffix}", volume, kind=kind)
    with pytest.raises(UserError, match=r"volume of 4 slices.*--page 0 to 3"):
        open_image(path)
    stack = open_stack(path)
    assert len(stack) == 4
    for index, source in enumerate(stack):
        assert_reads(source, volume[:, :, index].T)
        assert source.pixel_size_nm == pytest.approx((5.0, 4.0))
        assert source.decoded_whole == (suffix == ".nii.gz")
    with open_image(path, page=2) as source:
        assert_reads(source, volume[:, :, 2].T)
    with pytest.raises(UserError, match="no page 4"):
        open_image(path, page=4)


def test_a_large_compressed_file_is_spilled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nifti, "MOST_IN_MEMORY", 100)
    volume = noise((31, 23, 4))
    path = save(tmp_path / "a.nii.gz", volume)
    for _ in range(2):
        assert_reads(open_stack(path, spill_dir=tmp_path / "spill")[3], volume[:, :, 3].T)
        assert len(list((tmp_path / "spill").iterdir())) == 1


def test_scaled_values_and_colour_are_as_in_read_image(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(noise((31, 23)), np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    nibabel.save(image, tmp_path / "scaled.nii")
    colour = noise((31, 23, 3)).view([(c, "u1") for c in "RGB"])[..., 0]
    nibabel.save(nibabel.Nifti1Image(np.asfortranarray(colour), np.eye(4)), tmp_path / "colour.nii")
    for name in ("scaled.nii", "colour.nii"):
        assert_reads(open_image(tmp_path / name), read_image(tmp_path / name))


def test_unknown_units_and_the_default_millimetre_say_nothing(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", noise((31, 23)), unit="unknown")
    assert open_image(path).pixel_size_nm is None
    image = nibabel.Nifti1Image(noise((31, 23)), np.eye(4))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    assert open_image(path).pixel_size_nm is None


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", noise((31, 23, 4)))
    data = path.read_bytes()
    for kept in (len(data) - 5, 1000, 200):
        path.write_bytes(data[:kept])
        with pytest.raises(UserError, match=r"a\.nii.*truncated"):
            open_stack(path)[3]


@pytest.mark.parametrize("dtype", ["int16", "int32", "float64"])
def test_other_numbers_are_read_as_float(tmp_path: Path, dtype: str) -> None:
    path = save(tmp_path / "a.nii", noise((31, 23)).astype(dtype))
    with open_image(path) as source:
        assert_reads(source, read_image(path).astype(np.float32))
