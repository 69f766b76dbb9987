"""One English sentence on the pores of an image, from their measured statistics."""

from __future__ import annotations

import numpy as np
from skimage.measure import label as connected_components
from skimage.measure import regionprops_table


def describe_pores(label: np.ndarray, pixel_size_nm: float) -> str:
    """Describe density, size, shape, direction and connectivity of the pores.

    Shape and direction are means over the pores' moment ellipses, weighted by area; the direction's strength
    is the mean resultant length of the doubled angles.

    Args:
        label: ``(H, W)``, nonzero where there is pore.
        pixel_size_nm: pixel size, nanometres.
    """
    regions = connected_components(label > 0, connectivity=2)
    names = ("area", "axis_major_length", "axis_minor_length", "orientation")
    table = regionprops_table(regions, properties=names)
    area = table["area"].astype(float)
    if len(area) == 0:
        return "A scanning electron microscopy image of rock showing no visible pores."

    porosity = area.sum() / label.size
    density = _pick(porosity, ((0.03, "sparse"), (0.08, "scattered"), (0.15, "moderately dense")), "dense")
    # Half of the pore area lies in pores larger than this: the many specks do not decide.
    order = np.argsort(area)
    middle = area[order][np.searchsorted(np.cumsum(area[order]), area.sum() / 2)]
    diameter_nm = np.sqrt(4 * middle / np.pi) * pixel_size_nm
    size = f"{diameter_nm / 1000:.2g} µm" if diameter_nm >= 1000 else f"{float(f'{diameter_nm:.2g}'):g} nm"

    weight = area / area.sum()
    # A pore one pixel wide has a minor axis of 0.
    aspect = float(weight @ (table["axis_major_length"] / np.maximum(table["axis_minor_length"], 1.0)))
    shape = _pick(aspect, ((1.8, "rounded"), (2.8, "irregular, moderately elongated")), "thin, elongated")
    # skimage measures from the row axis towards the column axis, that is 90 degrees ahead of the x axis.
    angle = table["orientation"] + np.pi / 2
    resultant = weight @ np.exp(2j * angle)
    direction = np.rad2deg(np.angle(resultant)) / 2
    aligned = abs(resultant) > 0.3 and aspect > 1.8
    course = f"aligned {_direction_name(direction)}" if aligned else "without a preferred direction"
    largest = area.max() / area.sum()
    connectivity = _pick(largest, ((0.08, "mostly isolated"), (0.25, "partly connected")), "well connected")
    return (
        f"A scanning electron microscopy image of rock showing {density}, {shape} pores of about {size}, "
        f"{course} and {connectivity}, covering {100 * porosity:.0f} % of the area."
    )


def _pick(value: float, steps: tuple[tuple[float, str], ...], last: str) -> str:
    """The word of the first step whose limit is above `value`, else `last`."""
    return next((word for limit, word in steps if value < limit), last)


def _direction_name(degrees: float) -> str:
    """Name of an axis's direction; `degrees` counter-clockwise from the x axis, any turn."""
    names = ("horizontally", "along the rising diagonal", "vertically", "along the falling diagonal")
    return names[int(((degrees + 22.5) % 180) // 45)]
