"""The table of all pores of a scan: its columns with their definitions, how each is computed, and its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.measure.object_files import PORE_FILES
from pipeline.measure.pores_2d.hulls import feret, hull_pixels, hulls
from pipeline.measure.pores_2d.moments import COLUMN, KINDS, LENGTHS, PROBABILITY, ROW, centroid, ellipses
from pipeline.measure.pores_2d.pieces import Pieces, PoreTracker
from pipeline.measure.pores_2d.strips import Segmentation, strips
from pipeline.measure.table_files import BOX_CORNER, BOX_SIZE, Column, SortedRows, in_groups, open_table

#: in the order of the table; those in micrometres follow them
COLUMNS = (
    Column("pore", "int64", "", "number, from 1, by slice and first pixel (row by row)"),
    Column("slice", "int32", "", "slice of the scan, from 0"),
    Column("area_px", "int64", "px²", "number of pixels"),
    Column("equivalent_diameter_px", "float64", "px", "diameter of the circle of the same area"),
    Column("perimeter_px", "float64", "px", "length of the contour, by patterns of border pixels"),
    Column("circularity", "float64", "1", "4 pi area / perimeter²; not clipped, empty where the perimeter is 0"),
    Column("major_axis_px", "float64", "px", "long axis of the ellipse with the same second moments"),
    Column("minor_axis_px", "float64", "px", "short axis of that ellipse"),
    Column("aspect_ratio", "float64", "1", "long over short axis; empty where the short axis is 0"),
    Column(
        "orientation_deg",
        "float64",
        "°",
        "angle of the long axis to the x axis, counter-clockwise on the screen, in (-90, 90]; empty where no axis is "
        "longer",
    ),
    Column("feret_max_px", "float64", "px", "largest distance of two parallel lines around the pore"),
    Column("feret_min_px", "float64", "px", "smallest distance of two parallel lines around the pore"),
    Column("solidity", "float64", "1", "area over area of the convex hull, in pixels"),
    *BOX_CORNER,
    *BOX_SIZE,
    Column("centroid_x_px", "float64", "px", "mean column of the pixels' centres, in the scan"),
    Column("centroid_y_px", "float64", "px", "mean row of the pixels' centres, in the scan"),
    Column("mean_probability", "float64", "1", "mean probability of pore"),
    Column("touches_border", "bool", "", "whether the pore reaches the border of the segmented region"),
)
#: lengths that are repeated in micrometres, with the suffix `_um`; besides `area_um2`
_LENGTHS = (
    "equivalent_diameter",
    "perimeter",
    "major_axis",
    "minor_axis",
    "feret_max",
    "feret_min",
    "centroid_x",
    "centroid_y",
)

#: a row before it has its number: with the place of its first pixel, by which rows are sorted
ROW_TYPE = np.dtype([("first", "i8"), *((column.name, np.dtype(column.kind)) for column in COLUMNS[1:])])


def table_columns(scaled: bool) -> list[Column]:
    """The table's columns.

    Args:
        scaled: whether the pixel size is known.
    """
    columns = list(COLUMNS)
    if scaled:
        by_name = {column.name: column for column in COLUMNS}
        columns.append(Column("area_um2", "float64", "µm²", by_name["area_px"].definition))
        for name in _LENGTHS:
            columns.append(Column(f"{name}_um", "float64", "µm", by_name[f"{name}_px"].definition))
    return columns


def scaled_columns(rows: np.ndarray, pixel_size_nm: float) -> dict[str, np.ndarray]:
    """The columns in micrometres of some rows."""
    side = pixel_size_nm / 1000
    return {"area_um2": rows["area_px"] * side**2, **{f"{name}_um": rows[f"{name}_px"] * side for name in _LENGTHS}}


def describe(pores: Pieces, slice_: int, shape: tuple[int, int], origin: tuple[int, int]) -> np.ndarray:
    """Measure complete pores.

    Args:
        pores: of one slice.
        slice_: its number.
        shape: height and width of the segmented region (px).
        origin: its x and y in the scan (px).

    Returns:
        A row of `ROW_TYPE` for each.
    """
    rows = np.zeros(len(pores), ROW_TYPE)
    if not len(pores):
        return rows
    area = pores.area
    rows["first"], rows["slice"], rows["area_px"] = pores.first, slice_, area
    rows["equivalent_diameter_px"] = np.sqrt(4 * area / np.pi)
    # added one by one: how a library's product adds may depend on how many rows there are
    perimeter = sum(pores.sums[:, KINDS + kind].astype(np.float64) * length for kind, length in enumerate(LENGTHS))
    rows["perimeter_px"] = perimeter
    ellipse = ellipses(pores.sums)
    rows["major_axis_px"], rows["minor_axis_px"] = ellipse.major, ellipse.minor
    rows["orientation_deg"] = ellipse.orientation
    with np.errstate(divide="ignore", invalid="ignore"):
        rows["circularity"] = np.where(perimeter > 0, 4 * np.pi * area / perimeter**2, np.nan)
        rows["aspect_ratio"] = np.where(ellipse.minor > 0, ellipse.major / ellipse.minor, np.nan)

    hull = hull_pixels(hulls(pores.outline))
    sides = np.zeros(2 * len(pores), np.int64)
    np.add.at(sides, hull.chain, hull.reach)
    rows["solidity"] = area / (sides[0::2] + sides[1::2] + pores.bottom - pores.top + 1)
    rows["feret_max_px"], rows["feret_min_px"] = feret(hulls(hull), len(pores))

    rows["bbox_x_px"], rows["bbox_y_px"] = pores.left + origin[0], pores.top + origin[1]
    rows["bbox_width_px"] = pores.right - pores.left + 1
    rows["bbox_height_px"] = pores.bottom - pores.top + 1
    rows["centroid_x_px"] = centroid(pores.sums, pores.left + origin[0], COLUMN)
    rows["centroid_y_px"] = centroid(pores.sums, pores.top + origin[1], ROW)
    rows["mean_probability"] = pores.sums[:, PROBABILITY].astype(np.float64) / (255 * area)
    at_ends = (pores.bottom == shape[0] - 1) | (pores.right == shape[1] - 1)
    rows["touches_border"] = (pores.top == 0) | (pores.left == 0) | at_ends
    return rows


CSV = f"{PORE_FILES.table}.csv"
PARQUET = f"{PORE_FILES.table}.parquet"

#: pores below this are left out by default (px): with three pixels or fewer, shape is chance
MIN_AREA_PX = 4
#: rows that wait for their place in the order; some 160 bytes each
_ROWS_IN_MEMORY = 1 << 16
#: sums of squared columns over a strip fit into 64 bits
_WIDEST = 1_000_000


@dataclass
class PoreSummary:
    """What the table holds, and what it leaves out.

    Attributes:
        min_area_px: smallest area in the table (px).
        pores: in the table.
        area_px: of them together (px).
        touching_border: of them, those that reach the border of the segmented region: only a part of each is seen.
        dropped: pores smaller than `min_area_px`.
        dropped_area_px: of them together (px).
    """

    min_area_px: int
    pores: int = 0
    area_px: int = 0
    touching_border: int = 0
    dropped: int = 0
    dropped_area_px: int = 0


def write_pore_table(
    segmentation: Segmentation,
    output_dir: str | Path,
    *,
    pixel_size_nm: float | None = None,
    min_area_px: int = MIN_AREA_PX,
    progress: Callable[[int], None] | None = None,
    stem: str = PORE_FILES.table,
) -> PoreSummary:
    """Measure every pore of a segmented scan once, and write ``pores.csv`` and ``pores.parquet``.

    A pore is a set of pore pixels of one slice that touch at edges or corners (8-connectivity). The values are those of
    `skimage.measure.regionprops_table` on the whole mask; docs/measurements.md defines each. The files do not depend
    on how the segmentation is cut into bands, to the byte.

    In memory are a band, the vertices of the hulls of the pores that reach the row where it ends, and a fixed number of
    rows of the table; other rows wait in files in ``output_dir``, which are removed.

    Args:
        segmentation: mask and probability.
        output_dir: folder of both files.
        pixel_size_nm: side of the square pixels (nm), if known; adds columns in micrometres.
        min_area_px: smaller pores are counted in the summary only (px); 1 keeps all.
        progress: called with the number of rows of pixels that are finished since the last call.
        stem: name of both files without suffix.

    Raises:
        UserError: an impossible `min_area_px`, more than a million columns, or a disk that is full or refuses.
    """
    folder = Path(output_dir)
    x, y = segmentation.origin
    _, height, width = segmentation.shape
    settings = {
        "connectivity": 8,
        "min_area_px": min_area_px,
        "pixel_size_nm": pixel_size_nm,
        "region_px": [x, y, width, height],
    }
    summary = PoreSummary(min_area_px)
    columns = table_columns(pixel_size_nm is not None)
    _check(segmentation, min_area_px)
    with (
        open_table(folder / f"{stem}.csv", folder / f"{stem}.parquet", columns, settings) as write,
        TemporaryDirectory(prefix=".pores-", dir=folder) as waiting,
    ):
        for values in _groups(segmentation, summary, pixel_size_nm, Path(waiting), progress):
            write(values)
    return summary


def measured_pores(
    segmentation: Segmentation,
    *,
    pixel_size_nm: float | None = None,
    min_area_px: int = MIN_AREA_PX,
    progress: Callable[[int], None] | None = None,
) -> tuple[pd.DataFrame, PoreSummary]:
    """The rows that `write_pore_table` writes, in memory; its arguments and errors."""
    _check(segmentation, min_area_px)
    summary, columns = PoreSummary(min_area_px), table_columns(pixel_size_nm is not None)
    with TemporaryDirectory(prefix="vlsenet-pores-") as waiting:
        groups = [
            pd.DataFrame({one.name: pd.Series(values[one.name], dtype=one.kind) for one in columns})
            for values in _groups(segmentation, summary, pixel_size_nm, Path(waiting), progress)
        ]
    empty = pd.DataFrame({one.name: pd.Series(dtype=one.kind) for one in columns})
    return (pd.concat(groups, ignore_index=True) if groups else empty), summary


def _check(segmentation: Segmentation, min_area_px: int) -> None:
    if min_area_px < 1:
        raise UserError(f"--min_pore_area_px {min_area_px}: give at least 1 pixel; 1 keeps all pores")
    if segmentation.shape[2] > _WIDEST:
        raise UserError(f"the scan has {segmentation.shape[2]} columns: pores can be measured in at most {_WIDEST}")


def _groups(
    segmentation: Segmentation,
    summary: PoreSummary,
    pixel_size_nm: float | None,
    waiting: Path,
    progress: Callable[[int], None] | None,
) -> Iterator[dict[str, np.ndarray]]:
    """The values of each column for groups of rows, in the order of the table; they are counted in the summary."""
    for rows in in_groups(_sorted_rows(segmentation, summary, waiting, progress)):
        summary.pores += len(rows)
        summary.area_px += int(rows["area_px"].sum())
        summary.touching_border += int(rows["touches_border"].sum())
        values = {column.name: rows[column.name] for column in COLUMNS[1:]}
        values["pore"] = np.arange(summary.pores - len(rows), summary.pores) + 1
        if pixel_size_nm is not None:
            values.update(scaled_columns(rows, pixel_size_nm))
        yield values


def _sorted_rows(
    segmentation: Segmentation, summary: PoreSummary, waiting: Path, progress: Callable[[int], None] | None
) -> Iterator[np.ndarray]:
    """Rows of `ROW_TYPE` in the order of the table; smaller pores are counted in the summary instead."""
    for slice_ in range(segmentation.shape[0]):
        rows = SortedRows(waiting, ROW_TYPE, _ROWS_IN_MEMORY)
        for pores in _complete_pores(segmentation, slice_, progress):
            kept = pores.area >= summary.min_area_px
            summary.dropped += int((~kept).sum())
            summary.dropped_area_px += int(pores.area[~kept].sum())
            rows.add(describe(pores.take(kept), slice_, segmentation.shape[1:], segmentation.origin))
        yield from rows.batches()


def _complete_pores(
    segmentation: Segmentation, slice_: int, progress: Callable[[int], None] | None
) -> Iterator[Pieces]:
    tracker = PoreTracker()
    for strip in strips(segmentation.bands(slice_), segmentation.shape[2]):
        yield from tracker.add(strip)
        if progress is not None:
            progress(len(strip.probability))
    yield tracker.finish()
