from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.visual.drawing import write_png


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7)])
def test_round_trip_into_a_new_folder(shape, tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    write_png(tmp_path / "a" / "b.png", rgb)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a" / "b.png")), rgb)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.png"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "b.png"
    write_png(path, np.zeros((2, 2, 3), np.uint8))

    def half(self, target):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(OSError, match="disk full"):
        write_png(path, np.ones((2, 2, 3), np.uint8))
    assert [file.name for file in tmp_path.iterdir()] == ["b.png"]
    assert np.asarray(Image.open(path)).max() == 0


@pytest.mark.parametrize("rgb", [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((3, 4, 4), np.uint8)])
def test_other_shapes_and_types_are_refused(rgb, tmp_path):
    with pytest.raises(ValueError, match="uint8"):
        write_png(tmp_path / "x.png", rgb)
    with pytest.raises(ValueError, match=r"\.png"):
        write_png(tmp_path / "x.jpg", np.zeros((4, 4, 3), np.uint8))
