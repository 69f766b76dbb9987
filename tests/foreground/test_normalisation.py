from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.foreground.measurement import Foreground
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from tests.images.arrays import volume_of

ROCK = np.random.default_rng(0).integers(60, 250, (500, 600))


@pytest.mark.parametrize("scale", [1.0, 0.6, 1.5])
@pytest.mark.parametrize(("kind", "value"), [(np.float32, -9999.0), (np.float32, 3e38), (np.uint16, 4095)])
def test_ground_looks_like_the_darkest_or_brightest_rock(
    tmp_path: Path, kind: type, value: float, scale: float
) -> None:
    image = np.pad(ROCK.astype(kind), 50, constant_values=kind(value))
    volume, windows = volume_of(image), Windows(ChunkPlan(*image.shape, chunk=256), 16, (scale, scale))
    for _ in range(2):  # as it is measured, and as it is kept
        normalisation = Foreground.kept(tmp_path / "foreground.npz", volume, windows, True, False, "key").normalisation
        seen = normalisation.normalised(image, 0, 0, 0) * normalisation.intensity.std + normalisation.intensity.mean
        np.testing.assert_allclose(seen[50:-50, 50:-50], ROCK, atol=1e-3)
        np.testing.assert_allclose(seen[:50], ROCK.max() if value > 0 else ROCK.min(), atol=1e-3)
