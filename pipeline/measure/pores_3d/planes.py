"""A stack's middle slices in the three planes, pores over grey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.engine import ScanStore
from pipeline.engine.pyramid import coarse_scan, level_within
from pipeline.engine.store import MASK
from pipeline.files import atomic_path
from pipeline.images.rectangles import Roi, Rows
from pipeline.images.volume import ScanVolume
from pipeline.measure.pores_3d.pore_table_3d import Voxel
from pipeline.phase_colours import PORE_COLOUR, RGB
from pipeline.phases import PORE
from pipeline.visual import mask_overlay, plain
from pipeline.visual.figure import new_figure

#: longest side of a slice (px of the picture)
_SIDE = 1000
#: slices that the planes across them are made of at most
_SLICES = 256
#: a stack that is thinner than this share of a slice's longer side is drawn thicker
_THINNEST = 0.25
_WIDTH = 9.0  # inches
_MARGIN = 1.0  # inches, for titles and labels

#: grey values and mask of a plane, both (H, W)
Plane = tuple[np.ndarray, np.ndarray]


def write_volume_figure(
    path: Path,
    volume: ScanVolume,
    store: ScanStore,
    voxel: Voxel | None,
    phase: str = PORE,
    colour: RGB = PORE_COLOUR,
) -> None:
    """Draw the planes xy, xz and yz through the middle of a stack into a PNG.

    All is read from a coarse level: of the middle slice everything, of others a few rows and columns; of a deep
    stack 256 slices, evenly spread.

    Args:
        path: of the PNG.
        volume: the stack.
        store: its segmentation, with the pyramid.
        voxel: its sides, where known; else the axes are in pixels and slices.
        phase: that is drawn, as the store shows it.
        colour: of the phase.
    """
    region = drawn_rows(volume, store)
    width, height = region.width, region.height
    depth = volume.depth
    level = level_within(store, _SIDE)
    factor = 2**level
    row, column = height // 2 // factor, width // 2 // factor
    high = -(-height // factor)
    with volume.slice(depth // 2, as_stored=True) as source:
        grey = coarse_scan(source, store, level)[:high]
    across = (grey, store.read_area(level, MASK, depth // 2, slice(high)))
    shown = np.unique(np.linspace(0, depth - 1, min(depth, _SLICES)).round().astype(int)).tolist()
    along_rows = [_line(volume, store, slice_, level, row, region, 0) for slice_ in shown]
    along_columns = [_line(volume, store, slice_, level, column, region, 1) for slice_ in shown]
    side, step = (1.0, 1.0) if voxel is None else (voxel.pixel_nm / 1000, voxel.slice_nm / 1000)
    planes = {"xy": across, "xz": _stacked(along_rows), "yz": _stacked(along_columns)}
    figure = _draw(planes, (width * side, height * side, depth * step), voxel is not None, phase, colour)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=130)


def drawn_rows(volume: ScanVolume, store: ScanStore) -> Roi:
    """What is drawn of the segmented region: without an info bar below; one on top is shown, as part of the output."""
    return Rows(0, volume.rows.stop).within(store.plan.region)


def thickened(size: tuple[float, float, float]) -> int:
    """How many times as thick a stack of this size along x, y and z is drawn: a thin one would be a line."""
    width, height, depth = size
    return max(1, round(_THINNEST * max(width, height) / depth))


def _line(volume: ScanVolume, store: ScanStore, slice_: int, level: int, at: int, region: Roi, axis: int) -> Plane:
    """Grey values and mask of a row (`axis` 0) or a column (1) of a level, (N,)."""
    factor = 2**level
    x, y, width, height = region
    # what the line covers in the scan: `factor` rows or columns, cut at the border
    if axis == 0:
        y, height = y + at * factor, min(factor, height - at * factor)
    else:
        x, width = x + at * factor, min(factor, width - at * factor)
    with volume.slice(slice_, as_stored=True) as source:
        grey = _means(source.read(y, x, height, width).mean(axis=axis), factor)
    one, rest = slice(at, at + 1), slice(len(grey))
    mask = store.read_area(level, MASK, slice_, *((one, rest) if axis == 0 else (rest, one)))
    return grey, mask.ravel()


def _means(line: np.ndarray, factor: int) -> np.ndarray:
    """Means of `factor` pixels each; the last of the remainder."""
    starts = np.arange(0, len(line), factor)
    return np.add.reduceat(line, starts) / np.diff(np.append(starts, len(line)))


def _stacked(lines: list[Plane]) -> Plane:
    return np.stack([grey for grey, _ in lines]), np.stack([mask for _, mask in lines])


def _draw(planes: dict[str, Plane], size: tuple[float, float, float], scaled: bool, phase: str, colour: RGB) -> Figure:
    """The xy plane with xz below and yz at its right, at one scale.

    Args:
        planes: by name; those across the slices with a row for each slice.
        size: of the stack along x, y and z, in the unit of the axes.
        scaled: whether that is micrometres.
        phase: that is drawn.
        colour: of the phase.
    """
    width, height, depth = size
    stretch = thickened(size)
    drawn = depth * stretch
    inches = (_WIDTH - _MARGIN) / (width + drawn)
    tall = min(3 * _WIDTH, (height + drawn) * inches + _MARGIN)
    figure = new_figure(_WIDTH, tall)
    panels = figure.subplots(
        2, 2, sharex="col", sharey="row", width_ratios=(width, drawn), height_ratios=(height, drawn)
    )
    panels[1, 1].remove()
    views = {
        "xy": (panels[0, 0], mask_overlay(*planes["xy"], colour), (0, width, height, 0)),
        "xz": (panels[1, 0], mask_overlay(*planes["xz"], colour), (0, width, depth, 0)),
        "yz": (panels[0, 1], mask_overlay(*planes["yz"], colour).swapaxes(0, 1), (0, depth, height, 0)),
    }
    for name, (panel, picture, extent) in views.items():
        panel.imshow(picture, extent=extent, aspect="auto", interpolation="nearest")
        panel.set_title(name, fontsize=10)
    middle = {"color": "white", "linestyle": "--", "linewidth": 0.6}
    panels[0, 0].axhline(height / 2, **middle)
    panels[0, 0].axvline(width / 2, **middle)
    panels[1, 0].axhline(depth / 2, **middle)
    panels[0, 1].axvline(depth / 2, **middle)
    unit, step = ("µm", "µm") if scaled else ("px", "slice")
    panels[0, 0].set_ylabel(f"y ({unit})")
    panels[1, 0].set(xlabel=f"x ({unit})", ylabel=f"z ({step})")
    panels[0, 1].set_xlabel(f"z ({step})")
    panels[0, 1].tick_params(labelbottom=True)
    note = f", z drawn {stretch} times as thick" if stretch > 1 else ""
    shown = "pores" if phase == PORE else plain(phase)
    figure.suptitle(f"{shown} in the middle of the stack{note}", fontsize=11)
    return figure
