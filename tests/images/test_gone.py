"""A file that is deleted while it is read is no damaged one."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import nibabel
import numpy as np
import pytest
import tifffile

from pipeline.errors import UserError
from pipeline.images import open_image, open_stack
from tests.images.cases import noise

GONE = r": the file is gone, deleted or moved while it was read; put it back and give the same command again$"


def written(folder: Path, suffix: str) -> Path:
    path = folder / f"a{suffix}"
    pixels = noise((3, 40, 50))
    if suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="minisblack")
    elif suffix == ".mrc":
        with mrcfile.new(path) as file:
            file.set_data(pixels.astype(np.int16))
    else:
        nibabel.save(nibabel.Nifti1Image(pixels.T, np.eye(4)), path)
    return path


@pytest.mark.parametrize("suffix", [".tif", ".mrc", ".nii"])
def test_pixels_of_a_file_that_is_gone(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix)
    with open_image(path, page=1) as source:
        path.unlink()
        with pytest.raises(UserError, match=rf"a\{suffix} \(page 1\){GONE}"):
            source.read(0, 0, 5, 5)
        if suffix != ".nii":  # whose fingerprint was taken when it was opened
            with pytest.raises(UserError, match=rf"a\{suffix}{GONE}"):
                source.fingerprint()


def test_slices_of_a_file_that_is_gone(tmp_path: Path) -> None:
    path = written(tmp_path, ".nii")
    stack = open_stack(path)
    path.unlink()
    with pytest.raises(UserError, match=rf"a\.nii \(page 1\){GONE}|a\.nii{GONE}"):
        stack[1]
    path = written(tmp_path, ".tif")
    stack = open_stack(path)
    path.unlink()
    with pytest.raises(UserError, match=rf"a\.tif{GONE}"):
        stack[1]
