"""The table of all pores of a scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.files import atomic_path, write_error
from pipeline.measure.pores.columns import ROW_TYPE, describe, scaled_columns, table_columns
from pipeline.measure.pores.files import GROUP, SortedRows, TableFiles
from pipeline.measure.pores.pieces import Pieces, PoreTracker
from pipeline.measure.pores.runs import Segmentation, strips


class PoreTableWriter:
    """Numbers the pores and writes them to both files; a context manager.

    Args:
        csv: path of the CSV.
        parquet: path of the Parquet file.
        pixel_size_nm: nm, if known; then there are columns in micrometres.
        settings: kept in the Parquet file's metadata.
    """

    def __init__(self, csv: Path, parquet: Path, pixel_size_nm: float | None, settings: Mapping[str, Any]) -> None:
        self._pixel_size_nm = pixel_size_nm
        self._pending: list[np.ndarray] = []
        self._written = 0
        self._files = TableFiles(csv, parquet, table_columns(pixel_size_nm is not None), settings)

    def __enter__(self) -> PoreTableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._files:
            if kind is None:
                self._write(self._joined())

    def add(self, rows: np.ndarray) -> None:
        """Take rows of `ROW_TYPE`, in the order of the table."""
        self._pending.append(rows)
        if sum(len(part) for part in self._pending) >= GROUP:
            rows = self._joined()
            whole = len(rows) // GROUP * GROUP
            for first in range(0, whole, GROUP):
                self._write(rows[first : first + GROUP])
            self._pending = [rows[whole:].copy()]

    def _joined(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, ROW_TYPE), *self._pending])

    def _write(self, rows: np.ndarray) -> None:
        values = {name: rows[name] for name in ROW_TYPE.names or ()}
        values["pore"] = np.arange(self._written + 1, self._written + 1 + len(rows))
        if self._pixel_size_nm is not None:
            values.update(scaled_columns(rows, self._pixel_size_nm))
        self._files.write(values)
        self._written += len(rows)


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
    try:
        with (
            atomic_path(folder / CSV) as csv,
            atomic_path(folder / PARQUET) as parquet,
            TemporaryDirectory(prefix=".pores-", dir=folder) as waiting,
            PoreTableWriter(csv, parquet, pixel_size_nm, settings) as writer,
        ):
            for slice_ in range(segmentation.shape[0]):
                rows = SortedRows(Path(waiting), _ROWS_IN_MEMORY)
                for pores in _complete_pores(segmentation, slice_, progress):
                    kept = pores.area >= min_area_px
                    summary.dropped += int((~kept).sum())
                    summary.dropped_area_px += int(pores.area[~kept].sum())
                    rows.add(describe(pores.take(kept), slice_, (height, width), segmentation.origin))
                for batch in rows.batches():
                    _count(summary, batch)
                    writer.add(batch)
    except OSError as error:
        raise write_error(folder / PARQUET, error) from error
    return summary


def _complete_pores(
    segmentation: Segmentation, slice_: int, progress: Callable[[int], None] | None
) -> Iterator[Pieces]:
    tracker = PoreTracker()
    for strip in strips(segmentation.bands(slice_), segmentation.shape[2]):
        yield from tracker.add(strip)
        if progress is not None:
            progress(len(strip.probability))
    yield tracker.finish()


def _count(summary: PoreSummary, rows: np.ndarray) -> None:
    summary.pores += len(rows)
    summary.area_px += int(rows["area_px"].sum())
    summary.touching_border += int(rows["touches_border"].sum())
