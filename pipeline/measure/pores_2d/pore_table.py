"""The table of all pores of a scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.errors import UserError
from pipeline.measure.pores_2d.columns import COLUMNS, ROW_TYPE, describe, scaled_columns, table_columns
from pipeline.measure.pores_2d.pieces import Pieces, PoreTracker
from pipeline.measure.pores_2d.strips import Segmentation, strips
from pipeline.measure.table_files import SortedRows, in_groups, open_table

CSV = "pores.csv"
PARQUET = "pores.parquet"

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

    Raises:
        UserError: an impossible `min_area_px`, more than a million columns, or a disk that is full or refuses.
    """
    if min_area_px < 1:
        raise UserError(f"--min_pore_area_px {min_area_px}: give at least 1 pixel; 1 keeps all pores")
    if segmentation.shape[2] > _WIDEST:
        raise UserError(f"the scan has {segmentation.shape[2]} columns: pores can be measured in at most {_WIDEST}")
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
    with (
        open_table(folder / CSV, folder / PARQUET, columns, settings) as write,
        TemporaryDirectory(prefix=".pores-", dir=folder) as waiting,
    ):
        for rows in in_groups(_sorted_rows(segmentation, summary, Path(waiting), progress)):
            summary.pores += len(rows)
            summary.area_px += int(rows["area_px"].sum())
            summary.touching_border += int(rows["touches_border"].sum())
            values = {column.name: rows[column.name] for column in COLUMNS[1:]}
            values["pore"] = np.arange(summary.pores - len(rows), summary.pores) + 1
            if pixel_size_nm is not None:
                values.update(scaled_columns(rows, pixel_size_nm))
            write(values)
    return summary


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
