"""Results as a notebook shows them: picture, most important numbers, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from pipeline.engine.pyramid import coarse_scan, level_within
from pipeline.engine.store import MASK
from pipeline.phase_colours import as_hex, phase_colours
from pipeline.report import PLOTS, Measures
from pipeline.report.key_figures import phase_figures
from pipeline.visual import phase_overlay, to_grey8
from pipeline.visual.figure import data_uri, svg_uri
from pipeline.workflows.scan.segmented import SegmentedScan

#: longest side of the picture (px)
_SIDE = 800
_FIGURE = "size_distribution"


def card(scan: SegmentedScan, phases: Sequence[Measures], title: str, advice: str = "") -> str:
    """HTML of a result.

    Args:
        scan: segmented.
        phases: what was measured of each that is shown.
        title: of the card.
        advice: a sentence below it.
    """
    slice_ = scan.volume.depth // 2
    which = f" (slice {slice_ + 1} of {scan.volume.depth})" if scan.volume.depth > 1 else ""
    sections = "".join(map(_section, phases))
    note = f"<p>{escape(advice)}</p>" if advice else ""
    return (
        f'<div class="vlsenet"><h4>{escape(title + which)}</h4>{note}'
        f'<img alt="the phases in colour over the image" style="max-width:100%" src="{_overlay(scan, slice_)}">'
        f"{sections}</div>"
    )


def _section(measures: Measures) -> str:
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(one.name)}</th><td style='text-align:left'>{escape(one.value)}</td>"
        f"<td style='text-align:left'>{escape(one.note)}</td></tr>"
        for one in phase_figures(measures)
    )
    colour = as_hex(measures.colour)
    heading = f'<h5><span style="color:#{colour}">&#9632;</span> {escape(measures.terms.phase)}</h5>'
    drawn = PLOTS[_FIGURE](measures)
    figure = "" if drawn is None else f'<img alt="{escape(drawn[0])}" src="{svg_uri(drawn[2])}">'
    return f"{heading}<table>{rows}</table>{figure}"


def _overlay(scan: SegmentedScan, slice_: int) -> str:
    """The scan with its phases in colour, within a page."""
    store = scan.store
    level = level_within(store, _SIDE)
    codes = store.read_area(level, MASK, slice_)
    with scan.pictured(slice_) as source:
        grey = to_grey8(coarse_scan(source, store, level))
    codes = codes if store.labelled else (codes > 0).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(phase_overlay(grey, codes, phase_colours(store.phases))).save(file, "WEBP", quality=85)
    return data_uri("image/webp", file.getvalue())
