from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.images import open_image, open_stack, read_image
from tests.images.cases import assert_reads
from tests.paths import SHARED

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real images: {SHARED} is missing"),
]


@pytest.mark.parametrize("name", ["vendor_tiff/zeiss.tif", "vendor_tiff/thermo_fei.tif", "nankai/mosaics/11_image.png"])
def test_single_files(name: str) -> None:
    with open_image(SHARED / name) as source:
        assert_reads(source, read_image(SHARED / name))


def test_fib_sem_slices() -> None:
    stack = open_stack(SHARED / "shale_stack")
    assert len(stack) == 14
    with stack[13] as last:
        assert last.path.endswith("13.png")
        assert_reads(last, read_image(Path(last.path)))
