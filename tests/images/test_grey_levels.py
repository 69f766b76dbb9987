from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.images import is_image, read_image
from pipeline.images.grey import few_levels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_levels_are_listed_as_long_as_they_are_few(dtype: type) -> None:
    mask = np.zeros((300, 200), dtype)
    mask[5, 7] = 9  # one pixel counts
    assert few_levels(mask).tolist() == [0, 9]
    assert few_levels(np.arange(8, dtype=dtype)).tolist() == list(range(8))
    assert few_levels(np.arange(9, dtype=dtype)) is None
    mask[5, 8:16] = range(1, 9)
    assert few_levels(mask) is None


@pytest.mark.data
def test_micrographs_have_many_and_masks_few(shared: Path) -> None:
    found = {path: few_levels(read_image(path)) is not None for path in shared.rglob("*.*") if is_image(path)}
    assert len(found) > 100
    assert {path for path, few in found.items() if few} == {
        path for path in found if path.parent.name in ("labels", "patch_mask") or path.stem.endswith("_labels")
    }
