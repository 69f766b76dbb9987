"""A bar on top is cut off as one below is, and places stay those of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data import index_dataset
from pipeline.foreground.measurement import Foreground
from pipeline.images.rectangles import Part, Rows
from pipeline.images.volume import open_volume
from pipeline.synthetic import SceneSettings, generate
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from tests.images.microscope.bars import one_line

SIZE, BAR = (300, 420), 40


def barred(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and label (H, W) with a bar on top."""
    made = generate(SIZE, seed, SceneSettings())
    strip = one_line(BAR, SIZE[1], 0, 255)
    return np.vstack([strip, made.image]), np.vstack([strip, (made.label > 0).astype(np.uint8) * 255])


def test_a_scan_shows_no_rock_in_it_and_repeats_the_first_row(tmp_path: Path) -> None:
    image, _ = barred(0)
    Image.fromarray(image).save(tmp_path / "a.png")
    with open_volume(str(tmp_path / "a.png"), info_bar="auto") as volume:
        assert volume.rows == Rows(BAR, BAR + SIZE[0])
        assert "info bar of 40 rows on top cut off" in volume.description
        shown = np.vstack([np.repeat(image[BAR : BAR + 1], BAR, axis=0), image[BAR:]])
        for window in ((0, 0, 340, 420), (0, 5, 20, 30), (30, 7, 30, 50), (39, 0, 1, 9), (40, 0, 9, 9)):
            top, left, height, width = window
            np.testing.assert_array_equal(volume.read(0, *window), shown[top : top + height, left : left + width])
        plan = ChunkPlan(*volume.shape)
        for skip_empty, flatten in ((True, True), (False, False)):
            measured = Foreground.measured(volume, Windows(plan, 32), skip_empty, flatten)
            rock = measured.rock(plan, Part(0, 0, 0, *volume.shape))
            assert not rock[:BAR].any()
            assert rock[BAR:].all()
            assert measured.is_empty(plan, Part(0, 0, 0, BAR, 420))
            intensity = measured.normalisation.intensity
            np.testing.assert_allclose(
                (intensity.mean, intensity.std), (image[BAR:].mean(), image[BAR:].std()), rtol=0.05
            )


def test_a_data_set_with_bars_on_top_is_the_one_without(tmp_path: Path) -> None:
    for folder, rows in (("barred", slice(None)), ("plain", slice(BAR, None)), ("mixed", slice(None))):
        for seed in range(4):
            image, label = barred(seed)
            label = label if folder != "mixed" else label[BAR:]  # drawn without the bar
            for kind, pixels in (("images", image[rows]), ("labels", label[rows])):
                (tmp_path / folder / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(tmp_path / folder / kind / f"{seed}.png")
    plain = index_dataset(tmp_path / "plain").samples
    for name in ("barred", "mixed"):
        for one, other in zip(index_dataset(tmp_path / name).samples, plain, strict=True):
            assert (one.shape, one.porosity, one.rows) == (other.shape, other.porosity, Rows(BAR, BAR + SIZE[0]))
            np.testing.assert_array_equal(one.read_image(), other.read_image())
            np.testing.assert_array_equal(one.read_label(), other.read_label())
