from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.workflows import pixel_sizes


def test_sizes_are_known_where_the_files_tell_them(tmp_path):
    pixels = np.arange(400, dtype=np.uint8).reshape(20, 20)
    metadata = {"axes": "YX", "PhysicalSizeX": 0.02, "PhysicalSizeY": 0.08}
    tifffile.imwrite(tmp_path / "ome.ome.tif", pixels, metadata=metadata)
    tifffile.imwrite(tmp_path / "plain.tif", pixels)
    Image.fromarray(pixels).save(tmp_path / "picture.png", dpi=(300, 300))
    (tmp_path / "broken.tif").write_bytes(b"II*\0")
    samples = [SimpleNamespace(name=path.stem, image=path) for path in tmp_path.iterdir()]
    assert pixel_sizes(samples) == {"ome.ome": pytest.approx(40)}
