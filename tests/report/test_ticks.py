"""Sizes can be read off logarithmic axes, however short."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axis import Axis

from pipeline.measure.pore_statistics import Chords, RepresentativeArea, size_distribution
from pipeline.report import drawings as plots
from pipeline.report.units import Scale
from pipeline.visual.figure import log_ticks, new_figure


def labels(axis: Axis) -> list[float]:
    """Numbers at the labelled ticks that are seen."""
    low, high = sorted(axis.get_view_interval())
    texts = {tick.get_loc(): tick.label1.get_text() for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())}
    return sorted(float(text) for place, text in texts.items() if low <= place <= high and text)


@pytest.mark.parametrize("scale", [0.02, 1.0, 300.0])
@pytest.mark.parametrize("spread", [1.01, 1.3, 2.0, 4.0, 9.0, 11.0, 40.0, 90.0, 3000.0])
def test_pore_sizes_have_ticks(scale: float, spread: float) -> None:
    diameter = scale * np.geomspace(3, 3 * spread, 50)
    figure = plots.size_figure(size_distribution(diameter, diameter**2), "px")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    found = labels(axes.xaxis)
    assert 3 <= len(found) <= 10
    low, high = axes.get_xlim()
    assert all(low <= value <= high for value in found)


def test_steps_are_1_2_5_within_two_decades() -> None:
    axes = new_figure(4.6, 3.2).subplots()
    axes.set_xscale("log")
    axes.set_xlim(3, 150)
    log_ticks(axes.xaxis)
    axes.figure.draw_without_rendering()
    assert labels(axes.xaxis) == [5, 10, 20, 50, 100]
    axes.set_xlim(0.9, 1.1e4)
    log_ticks(axes.xaxis)
    axes.figure.draw_without_rendering()
    assert labels(axes.xaxis) == [1, 10, 100, 1000, 10000]


def test_chords_have_ticks_along_both_axes() -> None:
    chords = Chords(np.array([0, 0, 0, 5, 9, 8, 4, 3]), 0, 300, 58)
    figure = plots.chord_figure(chords, chords, Scale("nm", 30.0))
    figure.draw_without_rendering()
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        assert len(labels(axis)) >= 3


def test_two_sizes_of_fields_are_both_told() -> None:
    two = RepresentativeArea(np.array([64, 128]), np.array([16, 4]), *(np.array([0.1, 0.1]) for _ in range(4)))
    figure = plots.representative_area_figure(two, Scale("px", 1.0), 0.1)
    figure.draw_without_rendering()
    assert labels(figure.axes[0].xaxis) == [64, 128]


def test_sides_of_fields_have_no_exponents() -> None:
    two = RepresentativeArea(np.array([1056, 2112]), np.array([16, 4]), *(np.array([0.1, 0.1]) for _ in range(4)))
    axes = plots.representative_area_figure(two, Scale("nm", 10.0), 0.1).axes[0]
    axes.figure.draw_without_rendering()
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10560", "21120"]


def test_the_band_of_fields_is_not_cut_off() -> None:
    wide = RepresentativeArea(
        np.array([32, 64]),
        np.array([16, 4]),
        mean=np.array([0.1, 0.1]),
        spread=np.array([0.05, 0.01]),
        low=np.array([0.0, 0.05]),
        high=np.array([1.0, 0.2]),
    )
    assert plots.representative_area_figure(wide, Scale("px", 1.0), 0.1).axes[0].get_ylim()[1] >= 100


@pytest.mark.parametrize("threshold", [0.02, 0.5, 0.99])
def test_the_curve_of_thresholds_is_not_cut_off(threshold: float) -> None:
    axes = plots.threshold_figure(np.bincount(np.arange(256) // 4 * 4, minlength=256), threshold).axes[0]
    curve = axes.lines[0]
    low, high = axes.get_xlim()
    assert low <= min(curve.get_xdata())
    assert max(curve.get_xdata()) <= high
    assert max(curve.get_ydata()) <= axes.get_ylim()[1]
    assert low <= threshold <= high
