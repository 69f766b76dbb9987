"""The figures of a report."""

from __future__ import annotations

from io import StringIO

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from pipeline.images.rectangles import Roi
from pipeline.measure.statistics import Chords, OrientationRose, RepresentativeArea, SizeDistribution, TwoPoint
from pipeline.report.scale import Scale, number
from pipeline.visual.drawing import BLUE, RGB, VERMILLION

_SIZE = (4.6, 3.2)  # inches; two stand side by side on a page
_INK, _RULE = "#222222", "#dddddd"
#: fewer labels than this leave a reader guessing, and more than this touch
_FEWEST_LABELS, _MOST_LABELS = 3, 8
#: factor below which a logarithmic axis is nearly an even one
_SHORT = 4.0


def as_float(colour: RGB) -> tuple[float, float, float]:
    """A colour as matplotlib takes it."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


#: of two curves, which also differ in their line style, for grey prints
FIRST, SECOND = as_float(BLUE), as_float(VERMILLION)
FIRST_LINE, SECOND_LINE = "-", (0, (4, 1.5))


def new_figure() -> Figure:
    """An empty figure outside pyplot, so that none is left open."""
    figure = Figure(figsize=_SIZE, dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain(axes: Axes, x: str, y: str) -> None:
    """Labels, and no more lines than are needed.

    Args:
        axes: of a figure.
        x: label of the x axis, with its unit.
        y: label of the y axis, with its unit.
    """
    axes.set_xlabel(x, fontsize=9, color=_INK)
    axes.set_ylabel(y, fontsize=9, color=_INK)
    axes.tick_params(labelsize=8, colors=_INK, color=_RULE)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_RULE)
    axes.grid(color=_RULE, linewidth=0.5)
    axes.set_axisbelow(True)


def log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis, whose limits stand, so that what lies between can be told.

    In steps 1, 2, 5, 10; with decades alone where these are too many, and evenly where they are too few.
    """
    low, high = sorted(axis.get_view_interval())
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    decades, steps, even = (
        places[(places >= low) & (places <= high)]
        for places in (powers, np.outer(powers, (1, 2, 5)).ravel(), np.asarray(MaxNLocator(5).tick_values(low, high)))
    )
    places = decades if len(steps) > _MOST_LABELS else steps
    if len(places) < _FEWEST_LABELS or high < _SHORT * low:
        places = even
    axis.set_major_locator(FixedLocator(places.tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axis.set_minor_locator(NullLocator())


def as_svg(figure: Figure) -> str:
    """The drawing; the same figure gives the same text, and its letters need no font of the reader."""
    file = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "vlsenet", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def threshold_figure(probabilities: np.ndarray, threshold: float) -> Figure:
    """What porosity would be at other thresholds.

    Args:
        probabilities: rock pixels of each 8-bit probability, (256,), not all of them of probability 0.
        threshold: that was used.
    """
    figure = new_figure()
    axes = figure.subplots()
    reaching = np.cumsum(probabilities[::-1])[::-1] / probabilities.sum()
    # at 0 all is pore, which would set the scale of the axis
    axes.plot(np.arange(1, 256) / 255, 100 * reaching[1:], color=FIRST, linewidth=1.6)
    axes.axvline(threshold, color=SECOND, linestyle=SECOND_LINE, linewidth=1.2, label=f"used: {threshold:g}")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 110 * (reaching[26] or reaching[1]))
    plain(axes, "probability threshold", "porosity (%)")
    axes.legend(fontsize=8, frameon=False)
    return figure


def correlation_figure(along_x: TwoPoint, along_y: TwoPoint, scale: Scale) -> Figure:
    """S2 along x and y, with the value for pores that know nothing of each other."""
    figure = new_figure()
    axes = figure.subplots()
    for name, pairs, colour, line in (
        ("along x", along_x, FIRST, FIRST_LINE),
        ("along y", along_y, SECOND, SECOND_LINE),
    ):
        axes.plot(scale.lengths(pairs.lags), pairs.s2, color=colour, linestyle=line, linewidth=1.6, label=name)
    axes.axhline(along_x.s2[0] ** 2, color="0.45", linewidth=0.9, linestyle=":", label="porosity squared")
    axes.set_ylim(bottom=0)
    # where it is flat there is nothing to see
    lengths = [pairs.correlation_length for pairs in (along_x, along_y)]
    known = [length for length in lengths if length == length]
    longest = max(along_x.lags[-1], along_y.lags[-1])
    axes.set_xlim(0, scale.per_px * min(longest, 12 * max(known) if known else longest))
    plain(axes, f"distance ({scale.unit})", "two-point probability S₂")
    axes.legend(fontsize=8, frameon=False)
    return figure


_MOST_ELONGATED, _ROUNDEST = 10.0, 1.2


def shape_figure(aspect_ratio: np.ndarray, circularity: np.ndarray, several: str = "pores") -> Figure:
    """Histograms of aspect ratio and circularity, by number; what is beyond the axis stands in its last bin.

    Args:
        aspect_ratio: of each pore.
        circularity: of each pore.
        several: what they are called.
    """
    figure = new_figure()
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
        plain(axes, label, f"share of {several} (%)" if axes is panels[0] else "")
    return figure


def chord_figure(along_x: Chords, along_y: Chords, scale: Scale) -> Figure:
    """Density of the whole chords along x and y, in bins that grow with the length."""
    figure = new_figure()
    axes = figure.subplots()
    for name, chords, colour, line in (
        ("along x", along_x, FIRST, FIRST_LINE),
        ("along y", along_y, SECOND, SECOND_LINE),
    ):
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
    plain(axes, f"chord length ({scale.unit})", f"probability density (1/{scale.unit})")
    axes.legend(fontsize=8, frameon=False)
    return figure


def size_figure(sizes: SizeDistribution, unit: str) -> Figure:
    """Shares of number and area in bins of the equivalent diameter, with the medians.

    Args:
        sizes: in the unit.
        unit: of the diameters.
    """
    figure = new_figure()
    axes = figure.subplots()
    curves = (
        ("by number", sizes.by_number, sizes.number_percentiles, FIRST, FIRST_LINE),
        ("by area", sizes.by_area, sizes.area_percentiles, SECOND, SECOND_LINE),
    )
    for name, share, percentiles, colour, line in curves:
        label = f"{name}, D50 {number(percentiles[1])} {unit}"
        axes.stairs(100 * share, sizes.edges, color=colour, linestyle=line, linewidth=1.6, label=label)
        axes.stairs(100 * share, sizes.edges, color=colour, alpha=0.12, fill=True)
        axes.axvline(percentiles[1], color=colour, linestyle=line, linewidth=0.9)
    axes.set_xscale("log")
    log_ticks(axes.xaxis)
    axes.set_ylim(bottom=0)
    plain(axes, f"equivalent diameter ({unit})", "share in each bin (%)")
    axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def rose_figure(rose: OrientationRose) -> Figure:
    """Petals whose area is the share of each sector, drawn on both sides, with the mean direction as a line."""
    figure = new_figure()
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
    fields: np.ndarray, side: int, region: Roi, per_px: float, unit: str, title: str = ""
) -> Figure:
    """Porosity of each field of view; fields without rock stay white.

    Args:
        fields: porosity, (rows, columns), one of them not NaN.
        side: of a field, px.
        region: the segmented region.
        per_px: the unit for each pixel.
        unit: of the axes.
        title: which slice it is, of a stack.
    """
    x, y, width, height = region
    figure = new_figure()
    axes = figure.subplots()
    right, bottom = x + fields.shape[1] * side, y + fields.shape[0] * side
    extent = (x * per_px, right * per_px, bottom * per_px, y * per_px)
    top = 100 * np.nanmax(fields)
    image = axes.imshow(100 * fields, cmap="viridis", vmin=0, vmax=top or 1, extent=extent)
    # the last fields are cut, as the scan is
    axes.set(xlim=(x * per_px, (x + width) * per_px), ylim=((y + height) * per_px, y * per_px))
    axes.set_title(title, fontsize=9)
    plain(axes, f"x ({unit})", f"y ({unit})")
    axes.grid(visible=False)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label("porosity (%)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure


_APART = 1.6  # factor between labels


def representative_area_figure(areas: RepresentativeArea, per_px: float, unit: str, porosity: float) -> Figure:
    """Mean and spread of porosity among fields of each size.

    Args:
        areas: at least one size, and some pore.
        per_px: the unit for each pixel.
        unit: of the sides.
        porosity: of the whole.
    """
    figure = new_figure()
    axes = figure.subplots()
    side = areas.side * per_px
    axes.fill_between(side, 100 * areas.low, 100 * areas.high, color=FIRST, alpha=0.1, label="lowest to highest field")
    low, high = np.maximum(areas.mean - areas.spread, 0), areas.mean + areas.spread
    axes.fill_between(side, 100 * low, 100 * high, color=FIRST, alpha=0.25, label="mean ± standard deviation")
    axes.plot(side, 100 * areas.mean, ".-", color=FIRST, linewidth=1.4, label="mean of the fields")
    axes.axhline(100 * porosity, color=SECOND, linestyle=SECOND_LINE, linewidth=1, label="whole scan")
    axes.set_xscale("log", base=2)
    axes.set_xticks(_apart(side))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    # single small fields may be all pore: they leave the axis, so that the spread is seen
    axes.set_ylim(0, 100 * min(areas.high.max(), (areas.mean + 3 * areas.spread).max()) * 1.05)
    plain(axes, f"side of the field ({unit})", "porosity (%)")
    axes.legend(fontsize=8, frameon=False)
    return figure


def _apart(values: np.ndarray) -> list[float]:
    """Of ascending values, those whose labels do not touch on a logarithmic axis."""
    kept = [float(values[0])]
    for value in values[1:]:
        if value >= _APART * kept[-1]:
            kept.append(float(value))
    return kept


__all__ = [
    "as_svg",
    "chord_figure",
    "correlation_figure",
    "porosity_map_figure",
    "representative_area_figure",
    "rose_figure",
    "shape_figure",
    "size_figure",
    "threshold_figure",
]
