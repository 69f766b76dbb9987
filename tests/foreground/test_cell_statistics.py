from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.foreground.cell_statistics import measure_cells
from pipeline.foreground.shading import CELL
from pipeline.images import open_image


@pytest.mark.parametrize("shape", [(5 * CELL + 40, 9 * CELL + 1), (CELL, 2 * CELL), (CELL - 1, 3 * CELL), (20, 30)])
def test_medians_are_those_of_the_cells_however_the_scan_is_read(tmp_path: Path, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, tile=(256, 256))
    with open_image(tmp_path / "a.tif") as source:
        median = measure_cells(source).median
    assert median.shape == tuple(-(-side // CELL) for side in shape)
    for row, column in np.ndindex(median.shape):
        top, left = (max(0, min(i * CELL, n - CELL)) for i, n in zip((row, column), shape, strict=True))
        assert median[row, column] == np.median(image[top : top + CELL : 2, left : left + CELL : 2])
