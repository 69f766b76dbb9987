"""The drawings of a report's figures: numbers to axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import FuncFormatter, NullFormatter

from pipeline.images.rectangles import Roi
from pipeline.measure.pore_statistics import Chords, OrientationRose, RepresentativeArea, SizeDistribution, TwoPoint
from pipeline.report.units import Scale, number
from pipeline.visual.drawing import BLUE, VERMILLION, as_float
from pipeline.visual.figure import label_axes, log_ticks, new_figure

_WIDTH, _HEIGHT, _DPI = 4.6, 3.2, 200  # inches; two fit side by side on a page
#: of two curves, which also differ in their line style, for grey prints
FIRST, SECOND = as_float(BLUE), as_float(VERMILLION)
FIRST_LINE, SECOND_LINE = "-", (0, (4, 1.5))
_ALONG = (("along x", FIRST, FIRST_LINE), ("along y", SECOND, SECOND_LINE))


def _one_panel() -> tuple[Figure, Axes]:
    figure = new_figure(_WIDTH, _HEIGHT, _DPI)
    return figure, figure.subplots()


#: of the curve of thresholds, as 8-bit probability
_LEAST_THRESHOLD = 26


def threshold_figure(probabilities: np.ndarray, threshold: float, fraction: str = "porosity") -> Figure:
    """What porosity would be at other thresholds.

    Args:
        probabilities: rock pixels of each 8-bit probability, (256,), not all of them of probability 0.
        threshold: that was used.
        fraction: what the share of the rock is called.
    """
    figure, axes = _one_panel()
    reaching = np.cumsum(probabilities[::-1])[::-1] / probabilities.sum()
    # at 0 all is pore, which would set the scale of the axis: the curve is drawn from where thresholds are in use
    first = min(_LEAST_THRESHOLD, max(1, int(threshold * 255)))
    axes.plot(np.arange(first, 256) / 255, 100 * reaching[first:], color=FIRST, linewidth=1.6)
    axes.axvline(threshold, color=SECOND, linestyle=SECOND_LINE, linewidth=1.2, label=f"used: {threshold:g}")
    axes.set_xlim(first / 255, 1)
    axes.set_ylim(0, 105 * (reaching[first] or 1))
    label_axes(axes, "probability threshold", f"{fraction} (%)")
    axes.legend(fontsize=8, frameon=False)
    return figure


def correlation_figure(along_x: TwoPoint, along_y: TwoPoint, scale: Scale, fraction: str = "porosity") -> Figure:
    """S2 along x and y, with its value for pores whose places are independent."""
    figure, axes = _one_panel()
    for (name, colour, line), pairs in zip(_ALONG, (along_x, along_y), strict=True):
        axes.plot(scale.lengths(pairs.lags), pairs.s2, color=colour, linestyle=line, linewidth=1.6, label=name)
    axes.axhline(along_x.s2[0] ** 2, color="0.45", linewidth=0.9, linestyle=":", label=f"{fraction} squared")
    axes.set_ylim(bottom=0)
    # farther out the curves are flat
    lengths = [pairs.correlation_length for pairs in (along_x, along_y)]
    known = [length for length in lengths if length == length]
    longest = max(along_x.lags[-1], along_y.lags[-1])
    axes.set_xlim(0, scale.per_px * min(longest, 12 * max(known) if known else longest))
    label_axes(axes, f"distance ({scale.unit})", "two-point probability S₂")
    axes.legend(fontsize=8, frameon=False)
    return figure


_MOST_ELONGATED, _ROUNDEST = 10.0, 1.2


def shape_figure(aspect_ratio: np.ndarray, circularity: np.ndarray, several: str = "pores") -> Figure:
    """Histograms of aspect ratio and circularity, by number; values beyond the axis are in its last bin.

    Args:
        aspect_ratio: of each pore.
        circularity: of each pore.
        several: what they are called.
    """
    figure = new_figure(_WIDTH, _HEIGHT, _DPI)
    panels = figure.subplots(1, 2, sharey=True)
    shapes = (
        (aspect_ratio, np.linspace(1, _MOST_ELONGATED, 28), FIRST, f"aspect ratio (last: ≥ {_MOST_ELONGATED:g})"),
        (circularity, np.linspace(0, _ROUNDEST, 25), SECOND, f"circularity (last: ≥ {_ROUNDEST:g})"),
    )
    for axes, (values, edges, colour, label) in zip(panels, shapes, strict=True):
        values = values[np.isfinite(values)]
        count, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        share = 100 * count / max(1, len(values))
        axes.stairs(share, edges, color=colour, linewidth=1.2)
        axes.stairs(share, edges, color=colour, alpha=0.25, fill=True)
        label_axes(axes, label, f"share of {several} (%)" if axes is panels[0] else "")
    return figure


def chord_figure(along_x: Chords, along_y: Chords, scale: Scale) -> Figure:
    """Density of the whole chords along x and y, in bins that grow with the length."""
    figure, axes = _one_panel()
    for (name, colour, line), chords in zip(_ALONG, (along_x, along_y), strict=True):
        if not chords.counts.any():
            continue
        edges = np.unique(np.rint(np.geomspace(1, len(chords.counts) + 1, 40)))
        label = f"{name}, mean intercept {number(chords.mean_intercept * scale.per_px)} {scale.unit}"
        density = np.where(chords.density(edges) > 0, chords.density(edges), np.nan) / scale.per_px
        middle = scale.lengths(np.sqrt(edges[:-1] * (edges[1:] - 1)))
        drawn = np.isfinite(density)
        axes.plot(middle[drawn], density[drawn], color=colour, linestyle=line, linewidth=1.6, marker=".", label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        log_ticks(axis)
    label_axes(axes, f"chord length ({scale.unit})", f"probability density (1/{scale.unit})")
    axes.legend(fontsize=8, frameon=False)
    return figure


def size_figure(
    sizes: SizeDistribution, unit: str, corrected: SizeDistribution | None = None, extent: str = "area"
) -> Figure:
    """Shares of number and area in bins of the equivalent diameter, with the medians.

    Args:
        sizes: in the unit.
        unit: of the diameters.
        corrected: the same with the border's effect taken out, if it has one: thinner, without medians.
        extent: what is shared beside the number: area, or volume.
    """
    figure, axes = _one_panel()
    curves = (
        ("by number", sizes.by_number, sizes.number_percentiles, FIRST, FIRST_LINE),
        (f"by {extent}", sizes.by_area, sizes.area_percentiles, SECOND, SECOND_LINE),
    )
    for name, share, percentiles, colour, line in curves:
        label = f"{name}, D50 {number(percentiles[1])} {unit}"
        axes.stairs(100 * share, sizes.edges, color=colour, linestyle=line, linewidth=1.6, label=label)
        axes.stairs(100 * share, sizes.edges, color=colour, alpha=0.12, fill=True)
        axes.axvline(percentiles[1], color=colour, linestyle=line, linewidth=0.9)
    if corrected is not None:
        for share, colour in ((corrected.by_number, FIRST), (corrected.by_area, SECOND)):
            axes.stairs(100 * share, corrected.edges, color=colour, linestyle=":", linewidth=1.1)
    axes.set_xscale("log")
    log_ticks(axes.xaxis)
    axes.set_ylim(bottom=0)
    label_axes(axes, f"equivalent diameter ({unit})", "share in each bin (%)")
    axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def rose_figure(rose: OrientationRose) -> Figure:
    """Petals whose area is the share of each sector, drawn on both sides, with the mean direction as a line."""
    figure = new_figure(_WIDTH, _HEIGHT, _DPI)
    axes = figure.add_subplot(projection="polar")
    assert isinstance(axes, PolarAxes)
    middle = np.deg2rad((rose.edges[:-1] + rose.edges[1:]) / 2)
    width = np.deg2rad(np.diff(rose.edges))
    # the eye compares areas: the radius is the square root of the share
    radius = np.sqrt(rose.share)
    for turn in (0, np.pi):
        axes.bar(middle + turn, radius, width=width, color=FIRST, alpha=0.55, edgecolor=FIRST, linewidth=0.8)
    if np.isfinite(rose.mean_deg):
        direction = np.deg2rad(rose.mean_deg)
        reach = radius.max() * 1.05
        axes.plot([direction, direction + np.pi], [reach, reach], color=SECOND, linewidth=1.6)
    rings = radius.max() * np.array([0.5, 1.0])
    axes.set_yticks(rings, [f"{number(100 * ring**2, 2)} %" for ring in rings], fontsize=7, color="0.3")
    axes.set_rlabel_position(100)
    # a direction and its opposite have one name, in (-90, 90]
    names = [f"{90 - (90 - angle) % 180}°".replace("-", "−") for angle in range(0, 360, 30)]
    axes.set_thetagrids(range(0, 360, 30), names, fontsize=8)
    axes.tick_params(pad=1)
    axes.grid(color="0.87", linewidth=0.5)
    axes.spines["polar"].set_color("0.87")
    axes.set_axisbelow(True)
    return figure


def porosity_map_figure(
    fields: np.ndarray, side: int, region: Roi, scale: Scale, title: str = "", fraction: str = "porosity"
) -> Figure:
    """Porosity of each field of view; fields without rock stay white.

    Args:
        fields: porosity, (rows, columns), one of them not NaN.
        side: of a field, px.
        region: the segmented region.
        scale: of the axes.
        title: which slice it is, of a stack.
        fraction: what the share of the rock is called.
    """
    x, y, width, height = region
    per_px = scale.per_px
    figure, axes = _one_panel()
    right, bottom = x + fields.shape[1] * side, y + fields.shape[0] * side
    extent = (x * per_px, right * per_px, bottom * per_px, y * per_px)
    top = 100 * np.nanmax(fields)
    image = axes.imshow(100 * fields, cmap="viridis", vmin=0, vmax=top or 1, extent=extent)
    # the last fields are cut, as the scan is
    axes.set(xlim=(x * per_px, (x + width) * per_px), ylim=((y + height) * per_px, y * per_px))
    axes.set_title(title, fontsize=9)
    label_axes(axes, f"x ({scale.unit})", f"y ({scale.unit})")
    axes.grid(visible=False)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label(f"{fraction} (%)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure


_APART = 1.6  # factor between labels


def representative_area_figure(
    areas: RepresentativeArea, scale: Scale, porosity: float, fraction: str = "porosity"
) -> Figure:
    """Mean and spread of porosity among fields of each size.

    Args:
        areas: at least one size, and some pore.
        scale: of the sides.
        porosity: of the whole.
        fraction: what it is called.
    """
    figure, axes = _one_panel()
    side = areas.side * scale.per_px
    axes.fill_between(side, 100 * areas.low, 100 * areas.high, color=FIRST, alpha=0.1, label="lowest to highest field")
    low, high = np.maximum(areas.mean - areas.spread, 0), np.minimum(areas.mean + areas.spread, 1)
    axes.fill_between(side, 100 * low, 100 * high, color=FIRST, alpha=0.25, label="mean ± standard deviation")
    axes.plot(side, 100 * areas.mean, ".-", color=FIRST, linewidth=1.4, label="mean of the fields")
    axes.axhline(100 * porosity, color=SECOND, linestyle=SECOND_LINE, linewidth=1, label="whole scan")
    axes.set_xscale("log", base=2)
    axes.set_xticks(_apart(side))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}" if value < 10_000 else f"{value:.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(0, 100 * areas.high.max() * 1.05)
    label_axes(axes, f"side of the field ({scale.unit})", f"{fraction} (%)")
    axes.legend(fontsize=8, frameon=False)
    return figure


def _apart(values: np.ndarray) -> list[float]:
    """Of ascending values, those whose labels do not touch on a logarithmic axis."""
    kept = [float(values[0])]
    for value in values[1:]:
        if value >= _APART * kept[-1]:
            kept.append(float(value))
    return kept
