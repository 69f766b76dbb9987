from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.images import open_image, open_stack
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
