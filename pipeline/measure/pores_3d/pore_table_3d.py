"""The table of 3-D pores: its columns with their definitions, and its files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.measure.object_files import PORE_FILES
from pipeline.measure.pores_3d.connectivity import FACES, touched
from pipeline.measure.table_files import BOX_CORNER, BOX_SIZE, GROUP, Column, open_table


class Voxel(NamedTuple):
    """Sides of a voxel (nm): of its square pixel, and from slice to slice."""

    pixel_nm: float
    slice_nm: float

    @classmethod
    def known(cls, pixel_size_nm: float | None, slice_spacing_nm: float | None) -> Voxel | None:
        """The voxel where both sides are known, else None.

        Raises:
            UserError: a side is not above 0.
        """
        for name, side in (("pixel_size_nm", pixel_size_nm), ("slice_spacing_nm", slice_spacing_nm)):
            if side is not None and not (math.isfinite(side) and side > 0):
                raise UserError(f"{name} {side:g}: give a length in nm, above 0")
        return None if pixel_size_nm is None or slice_spacing_nm is None else cls(pixel_size_nm, slice_spacing_nm)

    @property
    def um3(self) -> float:
        """Volume (cubic micrometres)."""
        return self.pixel_nm**2 * self.slice_nm / 1e9


COLUMNS = (
    Column("pore", "int64", "", "number, from 1, by first voxel (slice by slice, row by row): its value in the labels"),
    Column("volume_voxels", "int64", "voxel", "number of voxels"),
    Column(
        "equivalent_diameter_px",
        "float64",
        "px",
        "diameter of the sphere of the same volume, in sides of a pixel; voxels count as cubes where the distance of "
        "slices is unknown",
    ),
    Column("slices", "int32", "", "number of slices that it spans"),
    *BOX_CORNER,
    Column("bbox_slice", "int64", "", "first slice, from 0"),
    *BOX_SIZE,
    Column("centroid_x_px", "float64", "px", "mean column of the voxels' centres, in the scan"),
    Column("centroid_y_px", "float64", "px", "mean row of the voxels' centres, in the scan"),
    Column("centroid_slice", "float64", "", "mean slice of the voxels' centres"),
    *(Column(f"touches_{face}", "bool", "", meaning) for face, meaning in FACES.items()),
)
_SCALED = (
    Column("volume_um3", "float64", "µm³", "voxels times pixel size squared times distance of slices"),
    Column("equivalent_diameter_um", "float64", "µm", "diameter of the sphere of the same volume"),
    Column("centroid_x_um", "float64", "µm", "mean column of the voxels' centres, in the scan"),
    Column("centroid_y_um", "float64", "µm", "mean row of the voxels' centres, in the scan"),
    Column("centroid_z_um", "float64", "µm", "mean slice of the voxels' centres, from the first slice"),
)


def volume_columns(scaled: bool) -> list[Column]:
    """The table's columns.

    Args:
        scaled: whether pixel size and distance of slices are known.
    """
    return [*COLUMNS, *(_SCALED if scaled else ())]


def described(
    records: np.ndarray, first: int, shape: tuple[int, int, int], origin: tuple[int, int], voxel: Voxel | None
) -> dict[str, np.ndarray]:
    """The columns of some pores.

    Args:
        records: `RECORD` (N,), in the order of the table.
        first: number of the first of them.
        shape: slices, rows and columns of what is imaged.
        origin: its x and y in the scan (px).
        voxel: its sides, where known.
    """
    x, y = origin
    voxels = records["voxels"]
    centroid = {axis: records[f"sum_{axis}"] / voxels for axis in "xyz"}
    ratio = 1.0 if voxel is None else voxel.slice_nm / voxel.pixel_nm
    values = {
        "pore": np.arange(first, first + len(records)),
        "volume_voxels": voxels,
        "equivalent_diameter_px": np.cbrt(6 * voxels * ratio / np.pi),
        "slices": records["max_z"] - records["min_z"] + 1,
        "bbox_x_px": records["min_x"].astype(np.int64) + x,
        "bbox_y_px": records["min_y"].astype(np.int64) + y,
        "bbox_slice": records["min_z"].astype(np.int64),
        "bbox_width_px": records["max_x"].astype(np.int64) - records["min_x"] + 1,
        "bbox_height_px": records["max_y"].astype(np.int64) - records["min_y"] + 1,
        "centroid_x_px": centroid["x"] + x,
        "centroid_y_px": centroid["y"] + y,
        "centroid_slice": centroid["z"],
        **{f"touches_{face}": reached for face, reached in touched(records, shape).items()},
    }
    if voxel is not None:
        side, step = voxel.pixel_nm / 1000, voxel.slice_nm / 1000
        values |= {
            "volume_um3": voxels * voxel.um3,
            "equivalent_diameter_um": values["equivalent_diameter_px"] * side,
            "centroid_x_um": values["centroid_x_px"] * side,
            "centroid_y_um": values["centroid_y_px"] * side,
            "centroid_z_um": values["centroid_slice"] * step,
        }
    return values


VOLUME_CSV = f"{PORE_FILES.bodies}.csv"
VOLUME_PARQUET = f"{PORE_FILES.bodies}.parquet"


def write_volume_table(
    records: np.ndarray,
    folder: Path,
    region: Roi,
    voxel: Voxel | None,
    shape: tuple[int, int, int],
    stem: str = PORE_FILES.bodies,
) -> None:
    """Write ``pores_3d.csv`` and ``pores_3d.parquet``; both hold the same.

    The Parquet file's schema holds units and definitions of the columns.

    Args:
        records: of `label_volume`, rows and columns counted from those of the region.
        folder: of both files.
        region: what is imaged of each slice.
        voxel: its sides, where known; adds columns in micrometres.
        shape: slices, rows and columns of what is imaged, by which a pore reaches a face.
        stem: name of both files without suffix.

    Raises:
        UserError: the disk is full or refuses.
    """
    settings = {
        "connectivity": 26,
        "pixel_size_nm": None if voxel is None else voxel.pixel_nm,
        "slice_spacing_nm": None if voxel is None else voxel.slice_nm,
        "region_px": list(region),
        "slices": shape[0],
    }
    columns = volume_columns(voxel is not None)
    with open_table(folder / f"{stem}.csv", folder / f"{stem}.parquet", columns, settings) as write:
        for first in range(0, len(records), GROUP):
            rows = records[first : first + GROUP]
            write(described(rows, first + 1, shape, (region.x, region.y), voxel))
