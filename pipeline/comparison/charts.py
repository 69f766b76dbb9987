"""The figures of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline.comparison.paired import Difference
from pipeline.comparison.scores import Measure
from pipeline.metrics import Calibration
from pipeline.visual import any_script, plain
from pipeline.visual.figure import new_figure

#: Okabe and Ito's colours without the yellow, which is too pale for a line
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_BASELINE = "#666666"
#: of sources, and of variants beside their colour
_MARKS = "osD^vP*X"
#: more images than that are one cloud anyway
_MOST_LEGEND = 8
_LONGEST_NAME = 32
_DPI = 110


def variant_colours(variants: Sequence[str], baseline: str) -> dict[str, str]:
    """A colour for each variant, grey for the baseline."""
    others = [variant for variant in variants if variant != baseline]
    return {**dict(zip(others, cycle(_COLOURS))), baseline: _BASELINE}


@any_script()
def paired_dots(
    differences: Mapping[str, Difference], baseline: str, measure: Measure, colours: Mapping[str, str]
) -> Figure:
    """Difference to the baseline of every image, marked by its source, with mean and interval; a line per variant."""
    figure = new_figure(7.2, 0.9 + 0.75 * len(differences), _DPI)
    axes = figure.subplots()
    sources = sorted({source for difference in differences.values() for source in difference.by_image["source"]})
    marks = dict(zip(sources, cycle(_MARKS)))
    axes.axvline(0, color="0.35", linewidth=1, zorder=1)
    for line, (variant, difference) in enumerate(differences.items()):
        images = difference.by_image.sort_values("difference")
        # images of nearly the same difference are spread over the line's height; the same each time
        height = line + 0.24 * np.sin(2.4 * np.arange(len(images)))
        for source, mark in marks.items():
            own = (images["source"] == source).to_numpy()
            axes.plot(
                images["difference"].to_numpy()[own],
                height[own],
                mark,
                color=colours[variant],
                alpha=0.5,
                markersize=5,
                markeredgewidth=0,
            )
        if np.isfinite(difference.low):
            axes.plot([difference.low, difference.high], [line, line], color="black", linewidth=2, zorder=4)
        axes.plot(difference.mean, line, "|", color="black", markersize=13, markeredgewidth=2, zorder=5)
    axes.set_yticks(range(len(differences)), [_label(variant) for variant in differences])
    axes.set_ylim(len(differences) - 0.4, -0.6)
    better = "right" if measure.higher else "left"
    axes.set_xlabel(f"{measure.title}: difference from {_label(baseline)}, each image ({better} is better)")
    if 1 < len(sources) <= _MOST_LEGEND:
        # not the dots themselves, whose shapes are small and pale
        handles = [
            Line2D([], [], linestyle="", marker=mark, color="0.3", markersize=7, label=f"source {_label(source)}")
            for source, mark in marks.items()
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=len(sources), frameon=False, fontsize=8)
    return figure


@any_script()
def epoch_curves(curves: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Scores over the epochs, of `read_curves`: pale lines for single trainings, a strong one for their mean."""
    metrics = list(dict.fromkeys(curves["metric"]))
    figure = new_figure(3.6 * len(metrics), 2.9, _DPI)
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        of_metric = curves[curves["metric"] == metric]
        for variant, rows in of_metric.groupby("variant", sort=False):
            for _, run in rows.groupby("run"):
                axes.plot(run["step"], run["value"], color=colours[str(variant)], alpha=0.25, linewidth=0.8)
            mean = rows.groupby("step")["value"].mean()
            axes.plot(mean.index, mean, color=colours[str(variant)], linewidth=1.8, label=_label(variant))
        axes.set_xlabel("epoch")
        axes.set_title(metric, fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


@any_script()
def reliability_diagram(calibrations: Mapping[str, Calibration], colours: Mapping[str, str]) -> Figure:
    """Share of true pores against probability, and how many pixels have each."""
    figure = new_figure(4.6, 4.8, _DPI)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for (variant, calibration), mark in zip(calibrations.items(), cycle(_MARKS)):
        upper.plot(
            calibration.mean_probability,
            calibration.pore_share,
            f"{mark}-",
            color=colours[variant],
            markersize=3.5,
            linewidth=1.2,
            label=_label(variant),
        )
        share = calibration.pixels / calibration.pixels.sum()
        lower.step(np.linspace(0, 1, len(share) + 1), np.append(share, share[-1]), where="post", color=colours[variant])
    upper.set_ylabel("share of true pores")
    upper.legend(frameon=False, fontsize=8)
    lower.set_yscale("log")
    lower.set_ylabel("pixels")
    lower.set_xlabel("probability of pore")
    lower.set_xlim(0, 1)
    return figure


@any_script()
def strata_figure(strata: pd.DataFrame, baseline: str, colours: Mapping[str, str]) -> Figure:
    """Difference to the baseline with its interval in every stratum: a panel for each variable."""
    variables = list(dict.fromkeys(strata["variable"]))
    variants = list(dict.fromkeys(strata["variant"]))
    lines = [strata.loc[strata["variable"] == variable, "stratum"].nunique() for variable in variables]
    each = 0.16 * len(variants) + 0.12
    figure = new_figure(7.2, each * sum(lines) + 0.75 * len(variables) + 0.3, _DPI)
    panels = figure.subplots(len(variables), 1, squeeze=False, height_ratios=lines)[:, 0]
    for axes, variable in zip(panels, variables, strict=True):
        _stratum_panel(axes, strata[strata["variable"] == variable], variants, colours, baseline)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    return figure


def _stratum_panel(
    axes: Axes, rows: pd.DataFrame, variants: Sequence[str], colours: Mapping[str, str], baseline: str
) -> None:
    names = list(dict.fromkeys(rows["stratum"]))
    axes.axvline(0, color="0.35", linewidth=1, zorder=1)
    for (place, variant), mark in zip(enumerate(variants), cycle(_MARKS)):
        own = rows[rows["variant"] == variant].set_index("stratum").reindex(names)
        height = np.arange(len(names)) + (place - (len(variants) - 1) / 2) * 0.75 / len(variants)
        axes.hlines(height, own["low"], own["high"], color=colours[variant], linewidth=1.4)
        axes.plot(own["difference"], height, mark, color=colours[variant], markersize=4, label=_label(variant))
    counts = rows.groupby("stratum", sort=False)["count"].max()
    axes.set_yticks(range(len(names)), [f"{_label(name)} ({counts[name]})" for name in names], fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_title(
        f"{rows['variable'].iloc[0]}: {rows['value_of'].iloc[0]}, difference from {_label(baseline)}",
        fontsize=9,
        loc="left",
    )
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="y", color="0.93")


def _label(variant: object) -> str:
    """A name with room for a plot beside it; Matplotlib leaves out of legends what begins with an underscore."""
    name = " ".join(str(variant).split())
    name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    return plain(f" {name}" if name.startswith("_") else name)
