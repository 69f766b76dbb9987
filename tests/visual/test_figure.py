from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np
from PIL import Image

from pipeline.visual.figure import comparison_figure, new_figure, save_png


def test_three_panels_with_a_title_and_the_pictures_in_them(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (30, 40), np.uint8)
    truth, predicted = image < 50, image < 60
    settings = dict(mpl.rcParams)
    figure = comparison_figure(image, truth, predicted, "sample: Dice 0.91")
    figure.savefig(tmp_path / "figure.png")
    assert figure.get_suptitle() == "sample: Dice 0.91"
    assert [axes.get_title() for axes in figure.axes] == ["image", "true pores", "prediction"]
    assert all(axes.images[0].get_array().shape == (30, 40, 3) for axes in figure.axes)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["true positive", "false positive", "false negative (missed)"]
    width, height = Image.open(tmp_path / "figure.png").size
    assert width > 2.5 * height
    assert dict(mpl.rcParams) == settings
    # pyplot would keep the figure open
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_saved_figure_has_its_own_resolution_and_is_opaque(tmp_path):
    figure = new_figure(2.0, 1.5, dpi=120)
    figure.subplots().plot([0, 1], color="red")
    save_png(figure, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as image:
        assert (image.size, image.mode) == ((240, 180), "RGB")
        assert abs(image.info["dpi"][0] - 120) < 0.1
        pixels = np.asarray(image)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert (pixels == [255, 0, 0]).all(-1).any()


def test_what_tests_leave_undrawn_is_blank(tmp_path, undrawn):
    figure = new_figure(2, 1)
    figure.add_subplot().plot([1, 2])
    save_png(figure, tmp_path / "figure.png")
    assert len(np.unique(np.asarray(Image.open(tmp_path / "figure.png")))) == 1
