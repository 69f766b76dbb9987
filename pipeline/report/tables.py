"""The tables of a report: pores and statistics, and image, model, settings and versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pipeline.measure.pore_statistics import weighted_quantiles
from pipeline.measure.porosity import CONFIDENCE
from pipeline.phase_colours import as_hex
from pipeline.report.measures import SHAPE_AREA_PX, Measures
from pipeline.report.units import MISSING, number, percent, percent_range, whole, with_unit


class Box(NamedTuple):
    """What encloses an object in the scan (px), and a slice in which it is seen, from 0."""

    x: int
    y: int
    width: int
    height: int
    slice: int

    @classmethod
    def of(cls, row: Mapping[str, Any], slice_: int) -> Box:
        """That of a row of a table of objects."""
        x, y, width, height = (int(row[f"bbox_{side}_px"]) for side in ("x", "y", "width", "height"))
        return cls(x, y, width, height, slice_)


@dataclass(frozen=True)
class Table:
    """A table, all text.

    Attributes:
        title: a few words.
        caption: what the rows are.
        columns: heads, with units.
        rows: one text for each column.
        boxes: for each row where in the pictures is what it is about, or None where it is in none; empty where rows
            have no place.
        swatches: for each row the colour of what it is about, as in `#E69F00`, or an empty text; empty where rows have
            none.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    boxes: tuple[Box | None, ...] = ()
    swatches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Names and values under a heading."""

    title: str
    items: tuple[tuple[str, str], ...]


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


def tables(measures: Measures) -> tuple[Table, ...]:
    """Percentiles of each measure, the largest pores, and statistics of the pixels; empty tables are skipped."""
    found = []
    if measures.told_sizes is not None:
        found.append(_percentiles(measures))
    if measures.bodies is None and len(measures.table):
        found.append(_largest(measures))
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
        if column == "equivalent_diameter" and measures.corrected_sizes is not None:
            corrected = _row(values * scale.per_px, measures.border_weights)
            rows.append((f"{name}, corrected for the border ({scale.unit})", *corrected))
    for column, name in _SHAPES:
        pores = measures.whole_pores if column == "mean_probability" else measures.shaped_pores
        rows.append((name, *_row(pores[column].to_numpy(np.float64))))
    counted = (
        f"{measures.terms.a_thing} has one in every slice that it crosses" if measures.is_stack else "each counted once"
    )
    several = measures.rows_are
    caption = (
        f"Each measure over the {whole(len(measures.whole_pores))} {several} not cut by a border; {counted}. "
        f"Aspect ratio, circularity and solidity: over the {whole(len(measures.shaped_pores))} of them with at least "
        f"{SHAPE_AREA_PX} px². The full table is in {measures.terms.table}.csv and {measures.terms.table}.parquet."
    )
    columns = ("measure", "mean", *(f"P{percentile}" for percentile in _PERCENTILES), "largest")
    return Table(f"{several.capitalize()} in numbers", caption, columns, tuple(rows))


def _row(values: np.ndarray, weights: np.ndarray | None = None) -> tuple[str, ...]:
    there = np.isfinite(values)
    weights = np.ones_like(values) if weights is None else weights
    values, weights = values[there], weights[there]
    if not len(values):
        return (MISSING,) * (len(_PERCENTILES) + 2)
    # as D50 is defined: the same median must not be two numbers
    percentiles = weighted_quantiles(values, weights, [one / 100 for one in _PERCENTILES])
    return tuple(number(value) for value in (np.average(values, weights=weights), *percentiles, values.max()))


def _largest(measures: Measures) -> Table:
    scale, pores = measures.scale, measures.table.nlargest(_LARGEST, "area_px")
    unit, per_px = scale.area(float(pores["area_px"].median()))
    rows, boxes = [], []
    for pore in pores.to_dict("records"):
        number_and_slice = {"section": str(pore["pore"]), "slice": str(pore["slice"] + 1)}
        rows.append(
            {
                **(number_and_slice if measures.is_stack else {measures.terms.thing: str(pore["pore"])}),
                f"area ({unit})": number(pore["area_px"] * per_px),
                f"diameter ({scale.unit})": number(pore["equivalent_diameter_px"] * scale.per_px),
                f"Feret ({scale.unit})": number(pore["feret_max_px"] * scale.per_px),
                "aspect ratio": number(pore["aspect_ratio"]),
                "direction (°)": number(pore["orientation_deg"]),
                "probability": number(pore["mean_probability"], 2),
                **centroid(pore),
                "cut by border": "yes" if pore["touches_border"] else "no",
            }
        )
        boxes.append(Box.of(pore, int(pore["slice"])) if pore["slice"] in measures.pictured_slices else None)
    share = pores["area_px"].sum() / measures.table["area_px"].sum()
    caption = f"The {len(pores)} largest {measures.rows_are} hold {percent(share)} of {measures.its_area} in the table."
    if measures.is_stack:
        caption += (
            f" {measures.terms.a_thing.capitalize()} has a section in every slice that it crosses, and may be listed "
            f"several times. Slices count from 1 (in {measures.terms.table}.csv from 0)."
        )
    return listed(f"Largest {measures.rows_are}", caption, rows, boxes)


def centroid(pore: Mapping[str, Any]) -> dict[str, str]:
    return {f"{axis} (px)": f"{pore[f'centroid_{axis}_px']:.0f}" for axis in "xy"}


def listed(title: str, caption: str, rows: list[dict[str, str]], boxes: list[Box | None]) -> Table:
    """A table of rows by their heads, which are the same in each."""
    return Table(title, caption, tuple(rows[0]), tuple(tuple(row.values()) for row in rows), tuple(boxes))


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
        f"Measured on {number(survey.pixels / 1e6)} megapixels of rock{' in all slices' if measures.is_stack else ''}."
    )
    return Table("Along x and y", caption, ("measure", "along x", "along y", "ratio x : y"), tuple(rows))


_SETTINGS = {
    "phases": "Phases",
    "prompt": "Text prior",
    "threshold": "Threshold",
    "region": "Region (x, y, width, height; px)",
    "chunk_size": "Chunk (px)",
    "halo": "Halo (px)",
    "batch": "Batch (chunks)",
    "precision": "Precision",
    "statistics": "Statistics of the norms",
    "flatten_shading": "Shading removed",
    "mirror": "Averaged over four mirrorings",
    "skip_empty": "Empty regions skipped",
    "device": "Device",
}


def phase_table(measures: Sequence[Measures]) -> Table:
    """A row for each phase: its share of the rock with its interval, and how many objects it has."""
    fraction = "volume fraction" if measures[0].is_stack else "area fraction"
    rows = []
    for one in measures:
        share, space = one.porosity, one.manifest.get("volume")
        interval = percent_range(*share.interval) if np.isfinite(share.interval[0]) else MISSING
        count = space["connectivity"]["pores"] if space else len(one.table)
        rows.append((one.terms.phase, percent(share.porosity), interval, whole(count) if one.listed else MISSING))
    named = sum(one.porosity.pore for one in measures)
    rock = measures[0].porosity.rock
    rows.append(("none of these", percent(1 - named / rock if rock else float("nan")), MISSING, MISSING))
    caption = "Shares of the analysed rock; a pixel belongs to one phase at most. Intervals are of sampling"
    caption += (
        " and model." if all(one.porosity.model_error for one in measures) else " alone where no validation is known."
    )
    columns = (
        "phase",
        fraction,
        f"{percent(CONFIDENCE, 2)} interval",
        "3-D objects" if measures[0].is_stack else "objects",
    )
    swatches = (*(f"#{as_hex(one.colour)}" for one in measures), "")
    return Table("Phases", caption, columns, tuple(rows), swatches=swatches)


def facts(measures: Measures) -> tuple[Facts, ...]:
    """Image, model, settings and versions, by the measures of any phase; unknown values are skipped."""
    manifest = measures.manifest
    request = mapping(manifest.get("request"))
    about = mapping(manifest.get("model"))
    model = {
        "Name": about.get("title"),
        "Trained on": about.get("trained_on"),
        "Licence": about.get("licence"),
        "Checkpoint": manifest.get("checkpoint"),
        "SHA-256 of the checkpoint": request.get("checkpoint_sha256"),
        **_seen(mapping(manifest.get("familiarity"))),
    }
    settings = {name: request.get(key) for key, name in _SETTINGS.items()}
    if manifest.get("reads_prompt") is False:
        settings[_SETTINGS["prompt"]] = "none: this model reads no prompt"
    settings["Share without rock, not segmented"] = percent_or_none(manifest.get("skipped_share") or None)
    lowest, highest = manifest.get("shading") or (None, None)
    if lowest is not None:
        settings["Brightness of the rock (standard deviations from the mean)"] = f"{lowest:+.2f} to {highest:+.2f}"
    seam = mapping(manifest.get("seam_certificate"))
    if seam.get("crops") and "largest" in seam:
        settings["Seams: largest difference in probability"] = number(float(seam["largest"]), 2)
        settings["Seams: places compared"] = seam["crops"]
    groups = (
        ("Image", {**_taken(measures.acquisition), **_file(mapping(request.get("scan")))}),
        ("Model", model),
        ("Settings", settings),
        ("Versions", dict(mapping(manifest.get("versions")))),
    )
    return tuple(
        Facts(title, items)
        for title, values in groups
        if (items := tuple((name, text_of(value)) for name, value in values.items() if value is not None))
    )


def _seen(familiarity: Mapping[str, Any]) -> dict[str, Any]:
    """How far the scan is from the training images."""
    if familiarity.get("distance") is None:
        return {}
    numbers = (number(float(familiarity[name])) for name in ("distance", "like", "far"))
    said = "{} ({}; up to {} is like, above {} far off)".format(familiarity["level"], *numbers)
    return {"Distance from the training images": said}


def _taken(acquisition: Mapping[str, Any] | None) -> dict[str, Any]:
    if acquisition is None:
        return {}
    return {
        "Instrument": acquisition.get("instrument"),
        "Detector": acquisition.get("detector"),
        "Acceleration voltage": quantity(acquisition.get("voltage_kv"), "kV"),
        "Working distance": quantity(acquisition.get("working_distance_mm"), "mm"),
        "Magnification": quantity(acquisition.get("magnification"), "×"),
        "Date (from the file)": acquisition.get("date"),
        "Info bar": quantity(acquisition.get("bar_height") or None, "rows"),
        "Pixel size from": mapping(acquisition.get("sources")).get("pixel_size"),
    }


def _file(scan: Mapping[str, Any]) -> dict[str, Any]:
    size = scan.get("bytes")
    return {
        "File": scan.get("name"),
        "File size": None if not isinstance(size, int | float) else with_unit(number(size / 1e6), "MB"),
        "Pixel type": scan.get("dtype"),
        "SHA-256 of samples": scan.get("sha256_of_samples") or scan.get("sha256_of_fingerprints"),
    }


def percent_or_none(value: float | None) -> str | None:
    return None if value is None else percent(value)


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def quantity(value: float | None, unit: str) -> str | None:
    return None if value is None else with_unit(f"{value:.5g}", unit)


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
