from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.images import open_image, open_stack, read_label
from tests.images.cases import assert_reads, noise


def save(path: Path, data: np.ndarray, voxel: float = 40.0) -> Path:
    with mrcfile.new(path) as file:
        file.set_data(data)
        file.voxel_size = voxel
    return path


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int16", "int8"])
def test_an_image_and_its_scale(tmp_path: Path, dtype: str) -> None:
    data = noise((60, 70), "uint8").astype(dtype)
    with open_image(save(tmp_path / "a.mrc", data)) as source:
        assert_reads(source, data if dtype in ("uint16", "float32") else data.astype(np.float32))
        assert source.pixel_size_nm == pytest.approx((4, 4))  # 40 angstrom


def test_a_volume_is_a_stack(tmp_path: Path) -> None:
    data = noise((3, 60, 70), "float32")
    stack = open_stack(save(tmp_path / "a.mrc", data))
    assert len(stack) == 3
    for index in range(3):
        assert_reads(stack[index], data[index])
    with pytest.raises(UserError, match="3 slices"):
        open_image(tmp_path / "a.mrc")
    with pytest.raises(UserError, match="no page 3"):
        open_image(tmp_path / "a.mrc", page=3)


def test_an_unset_scale_is_unknown(tmp_path: Path) -> None:
    with open_image(save(tmp_path / "a.mrc", noise((60, 70), "float32"), voxel=0)) as source:
        assert source.pixel_size_nm is None


def test_truncated_and_complex_files_are_refused(tmp_path: Path) -> None:
    whole = save(tmp_path / "a.mrc", noise((60, 70), "float32")).read_bytes()
    (tmp_path / "b.mrc").write_bytes(whole[:-500])
    with pytest.raises(UserError, match="500 of its bytes are missing"):
        open_image(tmp_path / "b.mrc")
    (tmp_path / "c.mrc").write_bytes(whole[:600])
    with pytest.raises(UserError, match="damaged"):
        open_image(tmp_path / "c.mrc")
    save(tmp_path / "d.mrc", noise((60, 70), "float32").astype(np.complex64))
    with pytest.raises(UserError, match="complex64"):
        open_image(tmp_path / "d.mrc")


def bytes_as(path: Path, pixels: np.ndarray, low: float, high: float, flags: int | None) -> Path:
    """A file of mode 0 with these bytes, a minimum and maximum, and IMOD's stamp with these flags."""
    save(path, pixels.view(np.int8))
    data = bytearray(path.read_bytes())
    data[76:88] = np.array([low, high, (low + high) / 2], "<f4").tobytes()
    if flags is not None:
        data[152:160] = np.array([1146047817, flags], "<i4").tobytes()
    path.write_bytes(data)
    return path


SMOOTH = (128 + 120 * np.sin(np.add.outer(np.arange(60), np.arange(70)) / 9)).astype(np.uint8)


@pytest.mark.parametrize(
    ("low", "high", "flags", "pixels", "signed"),
    [
        (0, 255, None, noise((60, 70)), False),
        (0, 255, 0, noise((60, 70)), False),
        (0, -1, 0, noise((60, 70)), False),
        (0, 0, None, SMOOTH, False),
        (0, -1, None, SMOOTH ^ 128, True),
        (0, -1, 1, noise((60, 70)), True),
        (-128, 127, None, noise((60, 70)), True),
        (0, -1, None, noise((60, 70)), True),  # no evidence: as the standard has it
    ],
)
def test_whether_bytes_have_a_sign_is_decided_by_the_evidence(
    tmp_path: Path, low: float, high: float, flags: int | None, pixels: np.ndarray, signed: bool
) -> None:
    with open_image(bytes_as(tmp_path / "a.mrc", pixels, low, high, flags)) as source:
        assert_reads(source, pixels.view(np.int8).astype(np.float32) if signed else pixels)
        assert any("read as unsigned" in warning for warning in source.acquisition.warnings) is not signed


def test_unsigned_numbers_of_16_bits_in_mode_1(tmp_path: Path) -> None:
    pixels = noise((60, 70), "uint16")
    path = save(tmp_path / "a.mrc", pixels.view(np.int16))
    with open_image(path) as source:
        assert_reads(source, pixels.view(np.int16).astype(np.float32))
    data = bytearray(path.read_bytes())
    data[76:84] = np.array([pixels.min(), pixels.max()], "<f4").tobytes()
    path.write_bytes(data)
    with open_image(path) as source:
        assert_reads(source, pixels)


def test_an_empty_slice_says_nothing_on_signs(tmp_path: Path) -> None:
    volume = np.stack([SMOOTH, np.zeros_like(SMOOTH), SMOOTH])
    stack = open_stack(bytes_as(tmp_path / "a.mrc", volume, 0, 0, None))
    for index in range(3):
        assert_reads(stack[index], volume[index])


def test_smooth_numbers_of_16_bits_in_mode_1_that_jump_where_they_change_sign(tmp_path: Path) -> None:
    pixels = SMOOTH.astype(np.uint16) * 257
    path = save(tmp_path / "a.mrc", pixels.view(np.int16))
    data = bytearray(path.read_bytes())
    data[76:84] = bytes(8)
    path.write_bytes(data)
    with open_image(path) as source:
        assert_reads(source, pixels)


@pytest.mark.parametrize("values", [(0, 255), (0, 1), (3, 200)])
def test_masks_have_no_negative_values(tmp_path: Path, values: tuple[int, int]) -> None:
    mask = np.where(noise((60, 70)) > 127, *values).astype(np.uint8)
    np.testing.assert_array_equal(read_label(save(tmp_path / "a.mrc", mask.view(np.int8))), mask)


@pytest.mark.parametrize("mode", [-1, 3, 5, 16, 99, 101])
def test_modes_that_are_not_read_are_named(tmp_path: Path, mode: int) -> None:
    data = bytearray(save(tmp_path / "a.mrc", noise((60, 70)).view(np.int8)).read_bytes())
    data[12:16] = mode.to_bytes(4, "little", signed=True)
    (tmp_path / "a.mrc").write_bytes(data)
    with pytest.raises(UserError, match=f"mode {mode}, which is not read"):
        open_image(tmp_path / "a.mrc")


@pytest.mark.parametrize(
    ("axes", "told"), [((1, 2, 3), False), ((0, 0, 0), False), ((2, 1, 3), True), ((3, 2, 1), True)]
)
def test_columns_that_are_not_x_are_told(tmp_path: Path, axes: tuple[int, ...], told: bool) -> None:
    path = save(tmp_path / "a.mrc", noise((60, 70), "float32"))
    data = bytearray(path.read_bytes())
    data[64:76] = np.array(axes, "<i4").tobytes()
    path.write_bytes(data)
    with open_image(path) as source:
        said = [warning for warning in source.acquisition.warnings if "MAPC" in warning]
        assert bool(said) == told
        assert not told or f"columns along {'xyz'[axes[0] - 1]}" in said[0]
