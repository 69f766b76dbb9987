"""Masks that are hard to cut into bands, and their measures by other means."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours, label, regionprops_table
from skimage.morphology import convex_hull_image

Table = dict[str, np.ndarray]

#: our column: scikit-image's
SAME_AS = {
    "area_px": "area",
    "equivalent_diameter_px": "equivalent_diameter_area",
    "perimeter_px": "perimeter",
    "major_axis_px": "axis_major_length",
    "minor_axis_px": "axis_minor_length",
    "feret_max_px": "feret_diameter_max",
    "solidity": "solidity",
    "bbox_y_px": "bbox-0",
    "bbox_x_px": "bbox-1",
    "centroid_y_px": "centroid-0",
    "centroid_x_px": "centroid-1",
}


def random_mask(shape: tuple[int, int], share: float, smooth: float, seed: int) -> np.ndarray:
    """Blobs of a random field, or single pixels without smoothing."""
    field = np.random.default_rng(seed).random(shape)
    if smooth:
        field = ndimage.gaussian_filter(field, smooth)
    return field > np.quantile(field, 1 - share)


def random_probability(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def spiral(side: int) -> np.ndarray:
    """A line of one pixel, two apart from itself, from the border to the middle; and a second one inside it."""
    mask = np.zeros((side, side), bool)
    y, x, step, turn = 0, 0, side - 1, 0
    while step > 0:
        down, right = ((0, 1), (1, 0), (0, -1), (-1, 0))[turn % 4]
        for _ in range(step):
            mask[y, x] = True
            y, x = y + down, x + right
        turn += 1
        if turn > 2 and turn % 2:
            step -= 4
    return mask


def comb(side: int, up: bool) -> np.ndarray:
    """Teeth that hang together in the last row, or in the first."""
    mask = np.zeros((side, side), bool)
    mask[:, ::2] = True
    mask[-1 if up else 0] = True
    return mask


def diagonal(side: int) -> np.ndarray:
    """Pixels that touch at corners only, each way."""
    return np.eye(side, dtype=bool) | np.eye(side, dtype=bool)[::-1]


def chevrons(side: int) -> np.ndarray:
    """V-shaped lines, each in the next: their arms meet below only."""
    rows, columns = np.indices((side, side))
    return (np.abs(columns - side // 2) + rows) % 4 == 0


SHAPES: dict[str, np.ndarray] = {
    "empty": np.zeros((23, 31), bool),
    "full": np.ones((23, 31), bool),
    "one pixel": np.pad(np.ones((1, 1), bool), ((4, 7), (9, 2))),
    "one row": np.ones((1, 37), bool),
    "one column": np.ones((37, 1), bool),
    "checkerboard": np.indices((24, 24)).sum(0) % 2 == 0,
    "grid of pixels": np.indices((24, 24)).max(0) % 2 + np.indices((24, 24)).min(0) % 2 == 0,
    "rows": np.indices((24, 31))[0] % 2 == 0,
    "columns": np.indices((24, 31))[1] % 2 == 0,
    "frames": np.minimum(np.indices((31, 31)).min(0), np.indices((31, 31))[:, ::-1, ::-1].min(0)) % 2 == 0,
    "spiral": spiral(41),
    "spiral upside down": spiral(41)[::-1],
    "comb": comb(33, True),
    "comb upside down": comb(33, False),
    "diagonals": diagonal(29),
    "chevrons": chevrons(33),
    "chevrons upside down": chevrons(33)[::-1],
    "noise": random_mask((60, 70), 0.35, 0, 1),
    "network": random_mask((90, 80), 0.55, 1.5, 2),
    "blobs": random_mask((90, 80), 0.2, 2.0, 3),
}


def truth(mask: np.ndarray, probability: np.ndarray) -> Table:
    """Scikit-image on the whole mask, in its order."""
    pores = label(mask, connectivity=2)
    if not mask.any():
        return {name: np.zeros(0) for name in [*SAME_AS.values(), "orientation", "intensity_mean", "bbox-2", "bbox-3"]}
    names = {name.split("-")[0] for name in SAME_AS.values()}
    return regionprops_table(pores, probability, sorted(names | {"orientation", "intensity_mean"}))


def assert_equal_to_truth(table: Table, mask: np.ndarray, probability: np.ndarray) -> None:
    """All columns but the small Feret diameter, of a table with all pores of one slice at the scan's corner."""
    expected = truth(mask, probability)
    assert list(table["pore"]) == list(range(1, len(expected["area"]) + 1))
    for ours, theirs in SAME_AS.items():
        # the short axis of a line of one pixel is 0, and scikit-image's the root of a rounding error
        near = 1e-6 if ours == "minor_axis_px" else 1e-10
        np.testing.assert_allclose(table[ours], expected[theirs], rtol=1e-9, atol=near, err_msg=ours)
    np.testing.assert_array_equal(table["bbox_height_px"], expected["bbox-2"] - expected["bbox-0"])
    np.testing.assert_array_equal(table["bbox_width_px"], expected["bbox-3"] - expected["bbox-1"])
    np.testing.assert_allclose(table["mean_probability"], expected["intensity_mean"] / 255, rtol=1e-12)
    at_border = (expected["bbox-0"] == 0) | (expected["bbox-1"] == 0)
    at_border |= (expected["bbox-2"] == mask.shape[0]) | (expected["bbox-3"] == mask.shape[1])
    np.testing.assert_array_equal(table["touches_border"], at_border)
    with np.errstate(divide="ignore", invalid="ignore"):
        circularity = 4 * np.pi * expected["area"] / expected["perimeter"] ** 2
    circularity[expected["perimeter"] == 0] = np.nan
    np.testing.assert_allclose(table["circularity"], circularity, rtol=1e-12)
    _assert_same_angle(table, expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = table["major_axis_px"] / table["minor_axis_px"]
    ratio[table["minor_axis_px"] == 0] = np.nan
    np.testing.assert_array_equal(table["aspect_ratio"], ratio)
    # a line of one pixel, along a row, a column or a diagonal
    lines = table["minor_axis_px"] == 0
    side = np.maximum(table["bbox_width_px"], table["bbox_height_px"])
    np.testing.assert_array_equal(lines, _is_line(expected) & (table["area_px"] == side))


def _assert_same_angle(table: Table, expected: Table) -> None:
    """Scikit-image's angle is that from the row axis; where no axis is longer, ours is empty and theirs ±45 degrees."""
    angle = table["orientation_deg"]
    defined = ~np.isnan(angle)
    assert ((angle[defined] > -90) & (angle[defined] <= 90)).all()
    difference = angle - (np.degrees(expected["orientation"]) - 90)
    np.testing.assert_allclose((difference[defined] + 90) % 180, 90, atol=1e-6)
    np.testing.assert_allclose(
        table["major_axis_px"][~defined], table["minor_axis_px"][~defined], rtol=1e-12, atol=1e-12
    )


def _is_line(expected: Table) -> np.ndarray:
    return expected["axis_minor_length"] < 1e-6


def contour(pore: np.ndarray) -> np.ndarray:
    """Points (row, column) of the contour of a pore's convex hull, as scikit-image takes it for Feret's diameter."""
    return np.vstack(find_contours(np.pad(convex_hull_image(pore), 2), 0.5, fully_connected="high"))
