"""The overview: a scan, its pores, probability and porosity of fields in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from pipeline.engine import ScanStore
from pipeline.engine.pyramid import coarse_scan, level_within
from pipeline.engine.store import MASK, PROBABILITY
from pipeline.files import atomic_path
from pipeline.images import ImageSource
from pipeline.images.rectangles import Rows
from pipeline.measure.porosity import Porosity
from pipeline.phase_colours import RGB, phase_colours
from pipeline.phases import PORE
from pipeline.report.units import percent
from pipeline.visual import any_script, phase_overlay, plain, to_grey8
from pipeline.visual.drawing import as_float
from pipeline.visual.figure import new_figure, save_png

#: longest side of what is read for a panel (px)
_OVERVIEW_SIDE = 1500
_INCHES, _DPI = 12, 110
#: number of the panel with the pores over the scan, and longest side of the thumbnail that is made of it (px)
_OVERLAID, _THUMBNAIL_SIDE = 1, 240


def write_overview(
    path: Path,
    source: ImageSource,
    store: ScanStore,
    fractions: Mapping[str, Porosity],
    *,
    slice_: int = 0,
    rows: Rows | None = None,
    thumbnail: Path | None = None,
) -> None:
    """Write `overview_figure` as PNG, and its pores over the scan as a small WebP, for a page of many scans."""
    figure = overview_figure(source, store, fractions, slice_=slice_, rows=rows)
    with atomic_path(path) as partial:
        save_png(figure, partial)
    if thumbnail is None:
        return
    small = Image.fromarray(np.asarray(figure.axes[_OVERLAID].images[0].get_array()))
    small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    with atomic_path(thumbnail) as partial:
        small.save(partial, "WEBP", quality=75)


@any_script()
def overview_figure(
    source: ImageSource,
    store: ScanStore,
    fractions: Mapping[str, Porosity],
    *,
    slice_: int = 0,
    rows: Rows | None = None,
) -> Figure:
    """Scan, pores over the scan, probability and porosity of the fields, side by side.

    Of several phases all are drawn over the scan, with the probability that decided and a legend with their fractions;
    those of the fields are pores' if they were asked for, else the first phase's. Read from a coarse level of the
    output, and from the scan a row of chunks at a time.

    Args:
        source: the scan, or the slice of a stack that is shown.
        store: with its pyramid.
        fractions: area fraction of each phase of the same scan, all slices.
        slice_: number of the slice.
        rows: rows of the scan that are imaged; a line is drawn where an info bar begins or ends.
    """
    level = level_within(store, _OVERVIEW_SIDE)
    codes = store.read_area(level, MASK, slice_)
    codes = codes if store.labelled else (codes > 0).astype(np.uint8)
    probability = _highest(store, level, slice_)
    scan = to_grey8(coarse_scan(source, store, level))
    _, high, wide = store.plan.shape
    down, across = (4, 1) if wide >= 2 * high else (2, 2)  # panels of wide scans are stacked
    aspect = down * high / (across * wide)
    figure = new_figure(_INCHES, max(4.0, min(24.0, _INCHES * aspect + 0.4 * down)), _DPI)
    panels = figure.subplots(down, across).ravel()
    mapped, porosity = _mapped(fractions)
    figure.suptitle(plain(_title(source, fractions, slice_)), wrap=True)

    side = _INCHES * _DPI // across
    place = {"extent": (0, wide, high, 0)}
    colours = phase_colours(store.phases)
    panels[0].imshow(_shrunk(scan, side), cmap="gray", vmin=0, vmax=255, **place)
    panels[_OVERLAID].imshow(_shrunk(phase_overlay(scan, codes, colours), side), **place)
    shown = panels[2].imshow(_shrunk(probability, side) / 255, cmap="viridis", vmin=0, vmax=1, **place)
    figure.colorbar(shown, ax=panels[2], shrink=0.7)
    fields = porosity.fields[slice_]
    extent = (0, fields.shape[1] * porosity.field, fields.shape[0] * porosity.field, 0)
    shown = panels[3].imshow(fields, cmap="magma", vmin=0, extent=extent)
    figure.colorbar(shown, ax=panels[3], shrink=0.7)
    field = f"{'porosity' if mapped == PORE else plain(mapped)} of fields of {porosity.field} px"
    names = ("phases", "probability of the likeliest phase") if store.labelled else ("pores", "probability of pore")
    for panel, title in zip(panels, ("scan", *names, field), strict=True):
        # the last fields are cut, as the scan is
        panel.set(title=title, xlim=(0, wide), ylim=(high, 0), xticks=[], yticks=[], frame_on=False)
    if store.labelled:
        figure.legend(handles=_patches(fractions, colours), loc="outside lower center", ncols=4, frameon=False)
    edges = [] if rows is None else [row for row in rows if 0 < row < source.shape[0]]
    for row in edges:
        for panel in panels[:2]:
            panel.axhline(row - store.plan.region.y, color="tab:orange", linestyle="--", linewidth=1)
    return figure


def _highest(store: ScanStore, level: int, slice_: int) -> np.ndarray:
    """Probability (H, W), uint8, of the likeliest phase at each pixel."""
    highest = store.read_area(level, PROBABILITY, slice_)
    for channel in store.channels[PROBABILITY + 1 :]:
        np.maximum(highest, store.read_area(level, channel, slice_), out=highest)
    return highest


def _mapped(fractions: Mapping[str, Porosity]) -> tuple[str, Porosity]:
    """The phase whose fractions of fields are shown."""
    name = PORE if PORE in fractions else next(iter(fractions))
    return name, fractions[name]


def _patches(fractions: Mapping[str, Porosity], colours: Sequence[RGB]) -> list[Patch]:
    """The legend: colour, name and fraction of each phase."""
    return [
        Patch(facecolor=as_float(colour), edgecolor="0.2", label=f"{plain(name)}: {percent(fraction.porosity)}")
        for (name, fraction), colour in zip(fractions.items(), colours, strict=True)
    ]


def _title(source: ImageSource, fractions: Mapping[str, Porosity], slice_: int) -> str:
    """What the porosity is of; a stack has the name of its folder, or of the one file that holds all slices."""
    porosity = fractions.get(PORE)
    path, slices = Path(source.path), next(iter(fractions.values())).fields.shape[0]
    said = "" if porosity is None else f": porosity {porosity}"
    if slices == 1:
        return f"{path.name}{said}"
    is_file = source.page is not None
    folder = path.parent if path.parent.name not in ("", "..") else path.parent.resolve()
    stack = path.name if is_file else folder.name
    slice_name = "" if is_file else f", {path.name}"
    return f"{stack}{said}{' of' if said else ':'} all {slices} slices\nshown: slice {slice_ + 1}{slice_name}"


def _shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture (H, W) or (H, W, 3), uint8, no wider than it is shown (px): Matplotlib is slow at it."""
    height, width = picture.shape[:2]
    if width <= side:
        return picture
    size = side, max(1, round(height * side / width))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
