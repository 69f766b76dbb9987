"""An image in colour is told; one of grey values that is stored in colour is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.images.volume import open_volume
from tests.images.cases import noise

GREY = noise((96, 128))
SAME, COLOURS = np.repeat(GREY[..., None], 3, axis=2), noise((96, 128, 3))


def told(path: Path) -> bool:
    with open_volume(str(path), info_bar="auto") as volume:
        return any("channels differ" in line for line in (volume.acquisition.warnings if volume.acquisition else ()))


@pytest.mark.parametrize("suffix", ["tif", "png", "jpg", "bmp"])
def test_colours(tmp_path: Path, suffix: str) -> None:
    for name, image, expected in (("same", SAME, False), ("colours", COLOURS, True)):
        path = tmp_path / f"{name}.{suffix}"
        Image.fromarray(image).save(path)
        assert told(path) == expected


@pytest.mark.parametrize("layout", ["tiles", "planar", "alpha"])
def test_layouts_of_a_tiff(tmp_path: Path, layout: str) -> None:
    for name, image, expected in (("same", SAME, False), ("colours", COLOURS, True)):
        path = tmp_path / f"{name}.tif"
        if layout == "tiles":
            tifffile.imwrite(path, image, photometric="rgb", tile=(32, 32), compression="jpeg")
        elif layout == "planar":
            tifffile.imwrite(path, np.moveaxis(image, 2, 0), photometric="rgb", planarconfig="separate")
        else:
            alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
            data = np.concatenate([image, alpha], axis=2)
            tifffile.imwrite(path, data, photometric="rgb", extrasamples=["unassalpha"])
        assert told(path) == expected


@pytest.mark.parametrize(("colours", "expected"), [(False, False), (True, True)])
def test_palettes(tmp_path: Path, colours: bool, expected: bool) -> None:
    ramp = np.arange(256, dtype=np.uint16) * 257
    table = np.stack([ramp, ramp[::-1] if colours else ramp, ramp])
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="palette", colormap=table)
    assert told(tmp_path / "a.tif") == expected
