"""The tables of a report."""

from __future__ import annotations

import numpy as np

from pipeline.report.content import Table
from pipeline.report.measures import SHAPE_AREA_PX, Measures
from pipeline.report.scale import number, percent, whole

_PERCENTILES = (5, 25, 50, 75, 95)
_LARGEST = 10
#: column without its unit, what it is called
_LENGTHS = (
    ("equivalent_diameter", "Equivalent diameter"),
    ("perimeter", "Perimeter"),
    ("feret_max", "Largest Feret diameter"),
    ("feret_min", "Smallest Feret diameter"),
    ("major_axis", "Major axis"),
    ("minor_axis", "Minor axis"),
)
_SHAPES = (
    ("aspect_ratio", "Aspect ratio"),
    ("circularity", "Circularity"),
    ("solidity", "Solidity"),
    ("mean_probability", "Mean probability"),
)


def tables(measures: Measures, shown_slice: int) -> tuple[Table, ...]:
    """Percentiles of each measure, the largest pores, and statistics of the pixels; empty tables are skipped.

    Args:
        measures: of the scan.
        shown_slice: the slice that the report's picture shows.
    """
    found = []
    if len(measures.whole_pores):
        found.append(_percentiles(measures))
    if len(measures.table):
        found.append(_largest(measures, shown_slice))
    if measures.survey.pixels:
        found.append(_directions(measures))
    return tuple(found)


def _percentiles(measures: Measures) -> Table:
    scale, rows = measures.scale, []
    areas = measures.whole_pores["area_px"].to_numpy(np.float64)
    unit, per_px = scale.area(float(np.median(areas)))
    rows.append((f"Area ({unit})", *_row(areas * per_px)))
    for column, name in _LENGTHS:
        values = measures.whole_pores[f"{column}_px"].to_numpy(np.float64)
        rows.append((f"{name} ({scale.unit})", *_row(values * scale.per_px)))
    for column, name in _SHAPES:
        pores = measures.whole_pores if column == "mean_probability" else measures.shaped_pores
        rows.append((name, *_row(pores[column].to_numpy(np.float64))))
    caption = (
        f"Each measure over the {whole(len(measures.whole_pores))} pores not cut by a border, each counted once. "
        f"Aspect ratio, circularity and solidity: over the {whole(len(measures.shaped_pores))} of them with at least "
        f"{SHAPE_AREA_PX} px². The full table is in pores.csv and pores.parquet."
    )
    columns = ("measure", "mean", *(f"P{percentile}" for percentile in _PERCENTILES), "largest")
    return Table("Pores in numbers", caption, columns, tuple(rows))


def _row(values: np.ndarray) -> tuple[str, ...]:
    values = values[np.isfinite(values)]
    if not len(values):
        return ("–",) * (len(_PERCENTILES) + 2)
    return tuple(number(value) for value in (values.mean(), *np.percentile(values, _PERCENTILES), values.max()))


def _largest(measures: Measures, shown_slice: int) -> Table:
    scale, pores = measures.scale, measures.table.nlargest(_LARGEST, "area_px")
    slices = measures.plan.shape[0] > 1
    unit, per_px = scale.area(float(pores["area_px"].median()))
    rows, boxes = [], []
    for pore in pores.to_dict("records"):
        rows.append(
            (
                str(pore["pore"]),
                *((str(pore["slice"]),) if slices else ()),
                number(pore["area_px"] * per_px),
                number(pore["equivalent_diameter_px"] * scale.per_px),
                number(pore["feret_max_px"] * scale.per_px),
                number(pore["aspect_ratio"]),
                number(pore["orientation_deg"]),
                number(pore["mean_probability"], 2),
                f"{pore['centroid_x_px']:.0f}",
                f"{pore['centroid_y_px']:.0f}",
                "yes" if pore["touches_border"] else "no",
            )
        )
        x, y, width, height = (int(pore[f"bbox_{side}_px"]) for side in ("x", "y", "width", "height"))
        boxes.append((x, y, width, height) if pore["slice"] == shown_slice else None)
    columns = (
        "pore", *(("slice",) if slices else ()), f"area ({unit})", f"diameter ({scale.unit})",
        f"Feret ({scale.unit})", "aspect ratio", "direction (°)", "probability", "x (px)", "y (px)", "cut by border",
    )  # fmt: skip
    share = pores["area_px"].sum() / measures.table["area_px"].sum()
    caption = f"The {len(pores)} largest pores hold {percent(share)} of the pore area in the table."
    return Table("Largest pores", caption, columns, tuple(rows), tuple(boxes))


def _directions(measures: Measures) -> Table:
    scale, survey = measures.scale, measures.survey
    chords, pairs = (survey.chords_x, survey.chords_y), (survey.two_point_x, survey.two_point_y)
    lines = (
        ("Mean intercept length", [one.mean_intercept for one in chords]),
        ("Median chord length", [one.median for one in chords]),
        ("Correlation length (1/e)", [one.correlation_length for one in pairs]),
    )
    rows = []
    for name, (x, y) in lines:
        both = (number(x * scale.per_px), number(y * scale.per_px), number(x / y if y else float("nan")))
        rows.append((f"{name} ({scale.unit})", *both))
    caption = (
        "Along the rows (x) and columns (y) of the scan; a ratio of 1 means no difference. "
        f"Measured on {number(survey.pixels / 1e6)} megapixels of rock."
    )
    return Table("Along x and y", caption, ("measure", "along x", "along y", "ratio x : y"), tuple(rows))
