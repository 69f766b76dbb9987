from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from pipeline.visual import Dots, dot_figure
from pipeline.visual.drawing import VERMILLION

NAMES = ["own", "shuffled", "empty"]
DICE = [Dots(0.8, [0.7, 0.9]), Dots(0.6, [0.5, 0.7]), Dots(None, [])]


def test_every_dot_is_where_its_value_says():
    figure = dot_figure(NAMES, {"Dice": DICE, "porosity error": DICE}, "audit")
    assert [axes.get_xlabel() for axes in figure.axes] == ["Dice", "porosity error"]
    axes = figure.axes[0]
    dots = {(x, y) for line in axes.lines for x, y in zip(*line.get_data(), strict=True) if line.get_marker() == "o"}
    assert dots == {(0.8, 0), (0.7, 0), (0.9, 0), (0.6, 1), (0.5, 1), (0.7, 1)}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["own", "shuffled", "empty (not run)"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first condition is on top
    (own,) = (line for line in axes.lines if line.get_marker() == "o" and list(line.get_xdata()) == [0.8])
    assert np.allclose(to_rgb(own.get_color()), np.array(VERMILLION) / 255)


def test_it_can_be_saved(tmp_path):
    dot_figure(NAMES, {"Dice": DICE}, "audit").savefig(tmp_path / "audit.png")
    assert (tmp_path / "audit.png").stat().st_size > 1000


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 lines of dots for 3 names"):
        dot_figure(NAMES, {"Dice": DICE[:2]}, "audit")
