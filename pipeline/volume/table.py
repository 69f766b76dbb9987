"""The table of 3-D pores on disk, as CSV and as Parquet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipeline.atomic import atomic_path
from pipeline.scan.output import ChunkPlan
from pipeline.scan.output.durable import write_error
from pipeline.volume.columns import described, volume_columns
from pipeline.volume.voxel import Voxel

VOLUME_CSV = "pores_3d.csv"
VOLUME_PARQUET = "pores_3d.parquet"

#: rows of a group: fixed, so that the bytes don't depend on anything else
_GROUP = 1 << 16


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
    fields = [
        pa.field(
            column.name,
            pa.type_for_alias(column.kind),
            metadata={"unit": column.unit, "definition": column.definition},
        )
        for column in volume_columns(voxel is not None)
    ]
    schema = pa.schema(fields, {"vlsenet": json.dumps(settings, sort_keys=True)})
    try:
        with (
            atomic_path(folder / VOLUME_CSV) as csv,
            atomic_path(folder / VOLUME_PARQUET) as parquet,
            csv.open("wb") as file,
            pq.ParquetWriter(parquet, schema, compression="zstd") as writer,
        ):
            file.write((",".join(schema.names) + "\n").encode())
            options = pyarrow.csv.WriteOptions(include_header=False)
            with pyarrow.csv.CSVWriter(file, schema, write_options=options) as lines:
                for first in range(0, len(records), _GROUP):
                    rows = records[first : first + _GROUP]
                    values = described(rows, first + 1, shape, (plan.region.x, plan.region.y), voxel)
                    table = pa.table([pa.array(values[field.name], field.type) for field in schema], schema=schema)
                    lines.write_table(table)
                    writer.write_table(table, row_group_size=_GROUP)
    except OSError as error:
        raise write_error(folder / VOLUME_PARQUET, error) from error
