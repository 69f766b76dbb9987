"""The pores of a stack as surfaces in space, drawn from a coarse copy of the mask."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from mpl_toolkits.mplot3d.axes3d import Axes3D
from PIL import Image
from skimage.measure import marching_cubes

from pipeline.engine import ScanStore
from pipeline.engine.pyramid import level_within
from pipeline.engine.store import MASK
from pipeline.files import atomic_path
from pipeline.images.volume import ScanVolume
from pipeline.measure.pores_3d.planes import drawn_rows, thickened
from pipeline.measure.pores_3d.pore_table_3d import Voxel
from pipeline.phase_colours import PORE_COLOUR, RGB
from pipeline.visual.drawing import as_float
from pipeline.visual.figure import new_figure

#: most cells along a side of the copy; half of them where there are more triangles than can be drawn in a few seconds
_CELLS = 128
_MOST_TRIANGLES = 400_000
#: slices that the mean of a cell is taken of at most
_SLICES_OF_A_CELL = 4
#: share of pore from which a cell is inside
_INSIDE = 0.5
_WIDTH, _HEIGHT = 7.0, 5.6  # inches
_ABOVE, _ASIDE = 26, -62  # degrees, from where the eye looks
_LIGHT = LightSource(azdeg=200, altdeg=40)


def write_surface_figure(
    path: Path, volume: ScanVolume, store: ScanStore, voxel: Voxel | None, colour: RGB = PORE_COLOUR
) -> tuple[int, int] | None:
    """Draw the surfaces of the pores of a stack into a PNG, seen from above the first slice.

    A coarse level of the store is read, and of a deep stack some slices only, so that memory and time are bounded.

    Args:
        path: of the PNG.
        volume: the stack.
        store: its segmentation, with the pyramid.
        voxel: its sides, where known; else the axes are in pixels and slices.
        colour: of the surfaces.

    Returns:
        Side (px) and slices of a cell of what is drawn: smaller pores can't be seen. None, and no picture, where no
        cell is half pore.
    """
    for cells in (_CELLS, _CELLS // 2, _CELLS // 4):
        share, cell = coarse_mask(store, drawn_rows(volume, store).height, cells)
        if share.max() <= _INSIDE:
            return None
        # a border of nothing closes the surfaces at the faces of the stack
        corners, triangles, _, _ = marching_cubes(np.pad(share, 1), _INSIDE)
        if len(triangles) <= _MOST_TRIANGLES:
            break
    side, step = (1.0, 1.0) if voxel is None else (voxel.pixel_nm / 1000, voxel.slice_nm / 1000)
    lengths = np.array([cell[1] * step, cell[0] * side, cell[0] * side])
    depth, region = volume.depth, drawn_rows(volume, store)
    size = region.width * side, region.height * side, depth * step
    # the centre of the first cell is half a cell from the face, and the border is one cell
    figure = _draw((corners - 0.5) * lengths, triangles, size, voxel is not None, colour)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=130, bbox_inches="tight")  # labels may reach out of the figure
    with Image.open(picture) as drawn, atomic_path(path) as partial:
        _without_margins(drawn.convert("RGB")).save(partial, format="png")
    return cell


def coarse_mask(store: ScanStore, height: int, cells: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The share of pore in cells of a stack, from a coarse level of its mask.

    Args:
        store: with its pyramid.
        height: rows of the region that are taken, from the first.
        cells: most along a side.

    Returns:
        (d, h, w), float32, and the side (px) and slices of a cell.
    """
    depth, _, width = store.plan.shape
    level = level_within(store, 4 * cells)
    rows, columns = -(-height // 2**level), -(-width // 2**level)
    block, step = -(-max(rows, columns) // cells), -(-depth // cells)
    layers = []
    for first in range(0, depth, step):
        last = min(first + step, depth) - 1
        taken = np.unique(np.linspace(first, last, min(step, _SLICES_OF_A_CELL)).round().astype(int)).tolist()
        read = (store.read_area(level, MASK, slice_, slice(rows)) > 0 for slice_ in taken)
        layers.append(np.mean([_block_means(mask, block) for mask in read], axis=0, dtype=np.float32))
    return np.stack(layers), (block * 2**level, step)


def _block_means(mask: np.ndarray, block: int) -> np.ndarray:
    edges = [(0, -side % block) for side in mask.shape]
    padded = np.pad(mask.astype(np.float32), edges, mode="edge")
    high, wide = (side // block for side in padded.shape)
    means: np.ndarray = padded.reshape(high, block, wide, block).mean((1, 3))
    return means


def _draw(
    corners: np.ndarray, triangles: np.ndarray, size: tuple[float, float, float], scaled: bool, colour: RGB
) -> Figure:
    """The surfaces in a box, x to the right, y to the front and z downwards.

    Args:
        corners: z, y and x of each, (N, 3), in the unit of the axes.
        triangles: numbers of their corners, (M, 3).
        size: of the stack along x, y and z.
        scaled: whether the unit is micrometres.
        colour: of the surfaces.
    """
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = figure.add_subplot(projection="3d")
    assert isinstance(axes, Axes3D)
    z, y, x = corners.T
    # y and z are turned round together: one alone would make a mirror image
    surfaces = axes.plot_trisurf(
        x, -y, triangles, -z, color=as_float(colour), linewidth=0, antialiased=False, lightsource=_LIGHT
    )
    surfaces.set_clip_on(False)  # corners of a long stack reach out of the square that the axes have in the figure
    width, height, depth = size
    axes.set(xlim=(0, width), ylim=(-height, 0), zlim=(-depth, 0))
    stretch = thickened(size)
    axes.set_box_aspect((width, height, depth * stretch), zoom=1.1)
    axes.view_init(_ABOVE, _ASIDE)
    unit, step = ("µm", "µm") if scaled else ("px", "slice")
    axes.set(xlabel=f"x ({unit})", ylabel=f"y ({unit})")
    axes.set_zlabel(f"z ({step})")
    if stretch > 1:
        figure.text(0.03, 0.08, f"z drawn {stretch} times as thick", fontsize=9)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        _few_ticks(axis)
    return figure


def _without_margins(picture: Image.Image) -> Image.Image:
    """Without most of the white around it: axes in space leave much above and below a flat stack."""
    left, top, right, bottom = picture.convert("L").point(lambda grey: 255 * (grey < 255)).getbbox() or (0, 0, 1, 1)
    margin = 12
    right, bottom = min(right + margin, picture.width), min(bottom + margin, picture.height)
    return picture.crop((max(0, left - margin), max(0, top - margin), right, bottom))


def _few_ticks(axis: Axis) -> None:
    axis.set_major_locator(MaxNLocator(4))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):.4g}"))
    axis.set_tick_params(labelsize=8)
