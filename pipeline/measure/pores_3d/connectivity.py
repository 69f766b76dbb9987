"""How much of a stack's pore space is connected from face to face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: what it means to reach each face of the region, by the face's name
FACES = {
    "x_min": "whether it reaches the first column of the segmented region",
    "x_max": "whether it reaches the last column",
    "y_min": "whether it reaches the first row",
    "y_max": "whether it reaches the last row",
    "z_min": "whether it reaches the first slice",
    "z_max": "whether it reaches the last slice",
}


def touched(records: np.ndarray, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Which pores reach each face, boolean (N,), in the order of `FACES`.

    Args:
        records: `RECORD` (N,).
        shape: slices, rows and columns of what is imaged.
    """
    last = dict(zip("zyx", (side - 1 for side in shape), strict=True))
    reached = {}
    for face in FACES:
        axis, end = face.split("_")
        reached[face] = records[f"{end}_{axis}"] == (0 if end == "min" else last[axis])
    return reached


@dataclass(frozen=True)
class AxisConnectivity:
    """Along one axis; shares are of the pore volume, None without pores.

    Attributes:
        percolating_pores: pores that reach both faces across the axis.
        percolating_share: share in those: the connected fraction.
        reaching_share: share in pores that reach one face at least: what is open to that pair of faces.
    """

    percolating_pores: int
    percolating_share: float | None
    reaching_share: float | None


@dataclass(frozen=True)
class Connectivity:
    """Of the 3-D pores of a stack.

    With V the pore volume and V_p that of the pores that reach both of two opposite faces, the connected fraction along
    the axis is V_p / V: the strength of the percolating clusters in a finite sample (D. Stauffer and A. Aharony,
    Introduction to Percolation Theory, 2nd edition, 1994; A. G. Hunt and M. Sahimi, Reviews of Geophysics 55, 2017).
    Pores that reach no face are isolated as far as the volume shows.

    Attributes:
        porosity: pore voxels over rock voxels (rock includes its pores); None where there is no rock.
        pore_voxels: in all pores.
        rock_voxels: of rock, its pores included.
        pores: number of 3-D pores.
        largest_share: share of the pore volume in the largest; None without pores.
        isolated_share: share in pores that reach none of the six faces; None without pores.
        x: along the rows.
        y: along the columns.
        z: from slice to slice.
    """

    porosity: float | None
    pore_voxels: int
    rock_voxels: int
    pores: int
    largest_share: float | None
    isolated_share: float | None
    x: AxisConnectivity
    y: AxisConnectivity
    z: AxisConnectivity


def connectivity(records: np.ndarray, shape: tuple[int, int, int], rock_voxels: int) -> Connectivity:
    """3-D porosity and connected fractions.

    Args:
        records: of `label_volume`.
        shape: slices, rows and columns of what is imaged.
        rock_voxels: of rock, its pores included.
    """
    voxels = records["voxels"]
    total = int(voxels.sum())
    reached = touched(records, shape)

    def share(chosen: np.ndarray) -> float | None:
        return int(voxels[chosen].sum()) / total if total else None

    def along(axis: str) -> AxisConnectivity:
        first, last = reached[f"{axis}_min"], reached[f"{axis}_max"]
        both = first & last
        return AxisConnectivity(int(both.sum()), share(both), share(first | last))

    return Connectivity(
        porosity=total / rock_voxels if rock_voxels else None,
        pore_voxels=total,
        rock_voxels=rock_voxels,
        pores=len(records),
        largest_share=int(voxels.max()) / total if total else None,
        isolated_share=share(~np.logical_or.reduce(list(reached.values()))),
        x=along("x"),
        y=along("y"),
        z=along("z"),
    )
