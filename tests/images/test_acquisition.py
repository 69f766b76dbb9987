"""Sources know how their image was taken, however it is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.images import cropped, open_image, open_stack, whole
from pipeline.images.rectangles import Roi
from tests.images.microscope.bars import one_line
from tests.images.microscope.files import HITACHI, IMAGE, fei, write


@pytest.mark.parametrize("options", [{}, {"tile": (32, 48)}, {"compression": "zlib"}])
def test_makers_tags_of_a_tiff(tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "LARGEST_SINGLE_BLOCK", 1000)
    path = write(tmp_path / "a.tif", {34682: fei()}, **options)
    with open_image(path) as source:
        assert source.pixel_size_nm == pytest.approx((4, 4))
        assert source.acquisition is not None
        assert source.acquisition.detector == "TLD"
        part = cropped(source, Roi(0, 0, 50, 60))
        assert part.acquisition is source.acquisition


def test_side_file_of_a_picture(tmp_path: Path) -> None:
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(HITACHI.format(size=9.92, columns=128))
    with open_image(tmp_path / "a.png") as source:
        assert source.pixel_size_nm == pytest.approx((9.92, 9.92))


def test_pages_of_a_stack(tmp_path: Path) -> None:
    text = fei(rows=96).encode()
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for _ in range(3):
            writer.write(IMAGE, metadata=None, extratags=[(34682, 2, len(text) + 1, text, True)])
    stack = open_stack(tmp_path / "a.tif")
    assert [stack[page].pixel_size_nm for page in range(len(stack))] == [pytest.approx((4, 4))] * 3


def test_the_bar_of_a_scan_by_its_lower_rows(tmp_path: Path) -> None:
    scan = np.vstack([np.random.default_rng(0).normal(120, 20, (600, 800)).clip(0, 255), one_line(50, 800, 0, 255)])
    tifffile.imwrite(tmp_path / "a.tif", scan.astype(np.uint8), tile=(64, 64))
    with open_image(tmp_path / "a.tif") as source:
        assert source.imaged_rows() == (0, source.shape[0] - 50)
