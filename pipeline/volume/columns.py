"""The columns of the table of 3-D pores: names, units, definitions, and how each is got."""

from __future__ import annotations

import numpy as np

from pipeline.pores import Column
from pipeline.volume.faces import FACES, touched
from pipeline.volume.voxel import Voxel

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
    Column("bbox_x_px", "int64", "px", "first column, in the scan"),
    Column("bbox_y_px", "int64", "px", "first row, in the scan"),
    Column("bbox_slice", "int64", "", "first slice, from 0"),
    Column("bbox_width_px", "int64", "px", "number of columns"),
    Column("bbox_height_px", "int64", "px", "number of rows"),
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
