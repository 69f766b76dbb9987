"""The table of 3-D pores on disk, as CSV and as Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.atomic import atomic_path
from pipeline.pores.table_files import GROUP, TableFiles
from pipeline.scan.output import ChunkPlan
from pipeline.scan.output.durable import write_error
from pipeline.volume.columns import described, volume_columns
from pipeline.volume.voxel import Voxel

VOLUME_CSV = "pores_3d.csv"
VOLUME_PARQUET = "pores_3d.parquet"


def write_volume_table(
    records: np.ndarray, folder: Path, plan: ChunkPlan, voxel: Voxel | None, shape: tuple[int, int, int]
) -> None:
    """Write ``pores_3d.csv`` and ``pores_3d.parquet``; both hold the same.

    The Parquet file's schema holds units and definitions of the columns.

    Args:
        records: of `label_volume`.
        folder: of both files.
        plan: of the stack.
        voxel: its sides, where known; adds columns in micrometres.
        shape: slices, rows and columns of what is imaged, by which a pore reaches a face.

    Raises:
        UserError: the disk is full or refuses.
    """
    settings = {
        "connectivity": 26,
        "pixel_size_nm": None if voxel is None else voxel.pixel_nm,
        "slice_spacing_nm": None if voxel is None else voxel.slice_nm,
        "region_px": list(plan.region),
        "slices": plan.depth,
    }
    columns = volume_columns(voxel is not None)
    try:
        with (
            atomic_path(folder / VOLUME_CSV) as csv,
            atomic_path(folder / VOLUME_PARQUET) as parquet,
            TableFiles(csv, parquet, columns, settings) as files,
        ):
            for first in range(0, len(records), GROUP):
                rows = records[first : first + GROUP]
                files.write(described(rows, first + 1, shape, (plan.region.x, plan.region.y), voxel))
    except OSError as error:
        raise write_error(folder / VOLUME_PARQUET, error) from error
