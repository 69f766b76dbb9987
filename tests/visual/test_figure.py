from __future__ import annotations

import sys

import matplotlib as mpl
import numpy as np
from PIL import Image

from pipeline.visual.figure import comparison_figure


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
