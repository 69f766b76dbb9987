"""The preview of strokes, on an image whose phases are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipeline.errors import UserError
from pipeline.images.rectangles import Part
from pipeline.workflows.label_loop.pixel_features import PixelFeatures
from pipeline.workflows.label_loop.preview import Previews, fitting
from pipeline.workflows.label_loop.seen_image import SeenImage
from tests.workflows.export.cases import trained_model

pytest.importorskip("sklearn", reason="needs scikit-learn, of the extra label")

SHAPE = (300, 340)


def made() -> tuple[np.ndarray, np.ndarray]:
    """An image of three grey levels, and codes of strokes: 2 dark, 3 bright, 1 in between."""
    field = gaussian_filter(np.random.default_rng(3).normal(size=SHAPE), 8)
    codes = np.where(field < -0.02, 2, np.where(field > 0.02, 3, 1)).astype(np.uint8)
    grey = np.array([0, 120, 50, 210])[codes] + np.random.default_rng(0).normal(0, 8, SHAPE)
    return grey.clip(0, 255).astype(np.uint8), codes


@pytest.fixture(scope="module")
def previews(tmp_path_factory: pytest.TempPathFactory) -> Previews:
    folder = tmp_path_factory.mktemp("preview")
    Image.fromarray(made()[0]).save(folder / "a.png")
    torch.manual_seed(0)
    return Previews(SeenImage.opened(folder / "a.png", trained_model(folder), info_bar="keep"))


def strokes_of(codes: np.ndarray, every: int = 40):
    """A pixel of each phase here and there."""
    kept = np.zeros_like(codes)
    kept[::every, ::7] = codes[::every, ::7]
    return lambda part: kept[part.y : part.y + part.height, part.x : part.x + part.width]


def test_a_few_strokes_tell_the_phases_of_all_pixels(previews: Previews) -> None:
    codes = made()[1]
    view = Part(0, 20, 30, 256, 300)
    found = previews.of(view, strokes_of(codes))
    assert found.part == view
    assert (found.codes == codes[20:276, 30:330]).mean() > 0.95
    assert found.certainty.min() >= 1 / 3
    assert found.certainty.max() <= 1


def test_strokes_of_earlier_views_count(previews: Previews) -> None:
    codes = made()[1]
    first, second = Part(0, 0, 0, 160, 340), Part(0, 160, 0, 140, 340)
    only_above = codes.copy()
    only_above[160:] = 0
    previews.of(first, strokes_of(only_above))
    found = previews.of(second, strokes_of(only_above))
    assert (found.codes == codes[160:]).mean() > 0.9


def test_one_class_is_not_enough(previews: Previews) -> None:
    fresh = Previews(previews.image)
    with pytest.raises(UserError, match="only one class was painted"):
        fresh.of(Part(0, 0, 0, 99, 99), lambda part: np.full((part.height, part.width), 2, np.uint8))
    with pytest.raises(UserError, match="nothing was painted"):
        fresh.of(Part(0, 0, 0, 99, 99), lambda part: np.zeros((part.height, part.width), np.uint8))


def test_a_view_is_cut_to_the_image(previews: Previews) -> None:
    assert fitting(Part(0, -50, 300, 90, 900), previews.image) == Part(0, 0, 300, 40, 40)
    with pytest.raises(UserError, match="shows nothing of the image"):
        fitting(Part(0, 300, 0, 50, 50), previews.image)


def test_a_linear_function_is_that_of_the_features_themselves(previews: Previews) -> None:
    maps = PixelFeatures(previews.image).of(Part(0, 64, 80, 48, 60))
    weights = np.random.default_rng(0).normal(size=(3, maps.size))
    rows, columns = (place.ravel() for place in np.mgrid[64:112, 80:140])
    whole = maps.linear(weights, np.array([1.0, 2.0, 3.0]))
    direct = maps.at(rows, columns) @ weights.T + [1, 2, 3]
    assert np.abs(whole - direct.T.reshape(3, 48, 60)).max() < 1e-3 * np.abs(direct).max()
