"""One picture of a segmented scan, for a person without special software."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from pipeline.atomic import atomic_path
from pipeline.scan.coarse import coarse_channel, coarse_scan, level_within
from pipeline.scan.output import ScanStore
from pipeline.scan.porosity import Porosity
from pipeline.scan.sources import ScanSource
from pipeline.visual import mask_overlay, to_grey8

#: longest side of a panel (px)
_SIDE = 1500


def write_overview(
    path: Path, source: ScanSource, store: ScanStore, porosity: Porosity, *, slice_: int = 0, rows: int | None = None
) -> None:
    """Scan, pores over the scan, probability and porosity of the fields, side by side.

    Read from a coarse level of the output, and from the scan a row of chunks at a time.

    Args:
        path: of the PNG.
        source: the scan, or the slice of a stack that is shown.
        store: with its pyramid.
        porosity: of the same scan, all slices.
        slice_: number of the slice.
        rows: rows of the scan that are imaged; a line is drawn where the info bar begins.
    """
    level = level_within(store, _SIDE)
    mask, probability = (coarse_channel(store, level, channel, slice_) for channel in (0, 1))
    scan = coarse_scan(source, store, level)
    height, width = mask.shape
    across = width >= 2 * height  # wide scans stand one above the other
    rows, columns = (4, 1) if across else (2, 2)
    aspect = rows * height / (columns * width)
    figure = Figure(figsize=(12, max(4.0, min(24.0, 12 * aspect + 0.4 * rows))), layout="constrained")
    panels = figure.subplots(rows, columns).ravel()
    slices = porosity.fields.shape[0]
    shown_slice = f", slice {slice_ + 1} of {slices} shown" if slices > 1 else ""
    figure.suptitle(f"{Path(source.path).name}: porosity {porosity}{shown_slice}")
    panels[0].imshow(to_grey8(scan), cmap="gray", vmin=0, vmax=255)
    panels[1].imshow(mask_overlay(scan, mask))
    shown = panels[2].imshow(probability / 255, cmap="viridis", vmin=0, vmax=1)
    figure.colorbar(shown, ax=panels[2], shrink=0.7)
    fields = porosity.fields[slice_]
    extent = (0, fields.shape[1] * porosity.field, fields.shape[0] * porosity.field, 0)
    shown = panels[3].imshow(fields, cmap="magma", vmin=0, extent=extent)
    # the last fields are cut, as the scan is
    panels[3].set(xlim=(0, store.plan.shape[2]), ylim=(store.plan.shape[1], 0))
    figure.colorbar(shown, ax=panels[3], shrink=0.7)
    field = f"porosity of fields of {porosity.field} px"
    for panel, title in zip(panels, ("scan", "pores", "probability of pore", field), strict=True):
        panel.set_title(title)
        panel.set_axis_off()
    if rows is not None and rows < source.shape[0]:
        for panel in panels[:2]:
            panel.axhline((rows - store.plan.region[1]) / 2**level, color="tab:orange", linestyle="--", linewidth=1)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
