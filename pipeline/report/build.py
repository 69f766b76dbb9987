"""From a finished segmentation to the content of its report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.engine import BlockCounts, ScanStore
from pipeline.images import ImageSource
from pipeline.measure.porosity import Porosity
from pipeline.measure.statistics import survey
from pipeline.report import plots
from pipeline.report.content import Plot, ReportContent
from pipeline.report.headline import NO_DIRECTION, key_figures, summary
from pipeline.report.measures import SHAPE_AREA_PX, Measures
from pipeline.report.method import REFERENCES, caveats, method
from pipeline.report.pictures import pictures_of
from pipeline.report.scale import percent, whole
from pipeline.report.tables import facts, tables

#: names of all plots that a report may have
FIGURE_NAMES = (
    "size_distribution",
    "orientation_rose",
    "shapes",
    "porosity_map",
    "representative_area",
    "two_point_correlation",
    "chord_lengths",
    "threshold",
)


class Report(NamedTuple):
    """A report and its figures.

    Attributes:
        content: for `write_report`.
        figures: the plots by their names, to be saved as files or logged.
    """

    content: ReportContent
    figures: dict[str, Figure]


def report_of_scan(
    source: ImageSource,
    store: ScanStore,
    porosity: Porosity,
    table: pd.DataFrame,
    acquisition: Mapping[str, Any] | None,
    manifest: Mapping[str, Any],
    *,
    blocks: BlockCounts,
    pixel_size_nm: float | None,
    min_area_px: int,
    dropped: int | None = None,
    bodies: pd.DataFrame | None = None,
    shown_slice: int = 0,
    path: str | None = None,
) -> Report:
    """Make the remaining measurements, and put them into words and figures.

    The mask is read once more, chunk by chunk; for large scans only a part of it (`survey`).

    Args:
        source: the scan, or the slice of a stack that is shown.
        store: finished, with its pyramid.
        porosity: of the scan.
        table: of its pores, as in ``pores.parquet``; the columns in pixels are read.
        acquisition: how the image was taken (`Acquisition.to_dict`), if known.
        manifest: as in ``manifest.json``; missing entries are skipped. ``reads_prompt``: whether a prompt changes what
            the model says.
        blocks: pore and rock pixels of each block (`block_counts`).
        pixel_size_nm: nanometres, if known.
        min_area_px: smallest pore in the table, px².
        dropped: number of smaller pores, if known.
        bodies: of a stack, the table of its pores in space, as in ``pores_3d.parquet``; None: the largest sections are
            listed, of which a pore has several.
        shown_slice: number of the slice that `source` is.
        path: what the user gave, if `source` is a slice of it.
    """
    request = manifest.get("request")
    threshold = request.get("threshold") if isinstance(request, Mapping) else None
    measures = Measures(
        plan=store.plan,
        porosity=porosity,
        table=table,
        survey=survey(store, blocks.rock),
        blocks=blocks,
        pixel_size_nm=pixel_size_nm,
        threshold=None if threshold is None else float(threshold),
        manifest=manifest,
        bodies=bodies,
    )
    shown = f"slice {shown_slice + 1} of {store.plan.shape[0]}" if measures.is_stack else ""
    drawn = _drawn(measures, shown_slice, shown)
    caption = f"{shown.capitalize()}." if shown else ""
    content = ReportContent(
        title=Path(path or source.path).name or source.path,
        source=path or source.name,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        key_figures=key_figures(measures),
        summary=summary(measures),
        pictures=pictures_of(source, store, shown_slice, pixel_size_nm, caption),
        plots=tuple(Plot(name, title, text, plots.as_svg(figure)) for name, title, text, figure in drawn),
        tables=tables(measures, shown_slice),
        method=method(measures, min_area_px),
        references=REFERENCES,
        caveats=caveats(measures, min_area_px, dropped, acquisition),
        facts=facts(acquisition, manifest),
    )
    return Report(content, {name: figure for name, _, _, figure in drawn})


def _drawn(measures: Measures, shown_slice: int, shown: str) -> list[tuple[str, str, str, Figure]]:
    """Name, title, caption and figure of each plot that has data."""
    scale, survey_, found = measures.scale, measures.survey, []
    several, kind = measures.rows_are, "Section" if measures.is_stack else "Pore"
    if measures.sizes is not None:
        text = f"Equivalent diameters of the {several} that are not cut by a border. Lines are the medians."
        found.append(("size_distribution", f"{kind} sizes", text, plots.size_figure(measures.sizes, scale.unit)))
    if measures.rose is not None:
        text = (
            f"Long axes of {whole(measures.rose.count)} whole {several} of at least {SHAPE_AREA_PX} px², weighted by "
            "area. 0° is the x axis, counter-clockwise. The area of each petal is its share; the line is the mean "
            f"direction{', which may be chance' if measures.rose.p_uniform >= NO_DIRECTION else ''}."
        )
        found.append(("orientation_rose", f"{kind} directions", text, plots.rose_figure(measures.rose)))
        shaped = measures.shaped_pores
        shapes = plots.shape_figure(shaped["aspect_ratio"].to_numpy(), shaped["circularity"].to_numpy(), several)
        text = f"The same {several}, by number. A circle has 1 in both; on a pixel grid, small {several} may exceed it."
        found.append(("shapes", f"{kind} shapes", text, shapes))
    fields = measures.porosity.fields[shown_slice]
    per_px, unit = (1.0, "px") if measures.pixel_size_nm is None else (measures.pixel_size_nm / 1000, "µm")
    if np.isfinite(fields).any():
        side = measures.porosity.field
        text = f"Porosity of square fields of {side} px." + (" White: no rock." if np.isnan(fields).any() else "")
        if shown:
            text = f"{shown.capitalize()}: p{text[1:]}"
        picture = plots.porosity_map_figure(fields, side, measures.plan.region, per_px, unit, shown)
        found.append(("porosity_map", "Porosity across the scan", text, picture))
    areas = measures.representative
    if len(areas.side) > 1 and areas.mean.any():
        whole_scan = measures.porosity.porosity
        picture = plots.representative_area_figure(areas, per_px, unit, whole_scan)
        text = (
            f"Porosity of adjacent fields{', as thick as wide or as the stack,' if measures.is_stack else ''} against "
            "their side. Where the band is narrow, a field of that size "
            f"represents the scan. The largest size has {whole(areas.count[-1])} fields, with a standard deviation "
            f"of {percent(areas.spread[-1], 2)} porosity."
        )
        found.append(("representative_area", "Representative field size", text, picture))
    if survey_.two_point_x.hits[0]:
        text = "Probability that two points at a distance are both pore. A difference between the curves is anisotropy."
        picture = plots.correlation_figure(survey_.two_point_x, survey_.two_point_y, scale)
        found.append(("two_point_correlation", "Two-point correlation", text, picture))
    if survey_.chords_x.counts.any() or survey_.chords_y.counts.any():
        text = "Lengths of pore along rows and columns of pixels; those cut by a border are excluded from the curves."
        picture = plots.chord_figure(survey_.chords_x, survey_.chords_y, scale)
        found.append(("chord_lengths", "Chord lengths", text, picture))
    if measures.threshold is not None and survey_.probabilities[1:].any():
        nearby = (measures.threshold - 0.1, measures.threshold + 0.1)
        text = "Porosity that another threshold would give" + "".join(
            f"{':' if one == nearby[0] else ' and'} {percent(measures.porosity_at(one))} at {one:.2f}"
            for one in nearby
            if 0 < one < 1
        )
        text += ". Where the curve is steep, the edges of the pores are uncertain."
        picture = plots.threshold_figure(survey_.probabilities, measures.threshold)
        found.append(("threshold", "Porosity and the threshold", text, picture))
    return found
