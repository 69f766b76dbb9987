"""The tables of a report: pores and statistics, and image, model, settings and versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.measure.pore_statistics import weighted_quantiles
from pipeline.measure.porosity import CONFIDENCE
from pipeline.phase_colours import as_hex
from pipeline.report.measures import SHAPE_AREA_PX, Measures
from pipeline.report.terms import Terms
from pipeline.report.units import MISSING, number, percent, percent_range, whole, with_unit


@dataclass(frozen=True)
class Table:
    """A table, all text.

    Attributes:
        title: a few words.
        caption: what the rows are.
        columns: heads, with units.
        rows: one text for each column.
        boxes: for each row x, y, width and height in the scan (px) of what it is about, to be shown in the picture, or
            None where it is not in it; empty where rows have no place.
        swatches: for each row the colour of what it is about, as in `#E69F00`, or an empty text; empty where rows have
            none.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    boxes: tuple[tuple[int, int, int, int] | None, ...] = ()
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
    if len(measures.whole_pores):
        found.append(_percentiles(measures))
    if measures.bodies is not None and len(measures.bodies):
        found.append(_largest_bodies(measures, measures.bodies))
    elif len(measures.table):
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
                **_centroid(pore),
                "cut by border": "yes" if pore["touches_border"] else "no",
            }
        )
        boxes.append(_box(pore) if pore["slice"] == measures.shown_slice else None)
    share = pores["area_px"].sum() / measures.table["area_px"].sum()
    caption = f"The {len(pores)} largest {measures.rows_are} hold {percent(share)} of {measures.its_area} in the table."
    if measures.is_stack:
        caption += (
            f" {measures.terms.a_thing.capitalize()} has a section in every slice that it crosses, and may be listed "
            f"several times. Slices count from 1 (in {measures.terms.table}.csv from 0)."
        )
    return _listed(f"Largest {measures.rows_are}", caption, rows, boxes)


def _largest_bodies(measures: Measures, bodies: pd.DataFrame) -> Table:
    """Of the 3-D pores, each once, whatever the number of slices that it crosses."""
    scale, pores = measures.scale, bodies.nlargest(_LARGEST, "volume_voxels")
    rows, boxes = [], []
    for pore in pores.to_dict("records"):
        first, last = pore["bbox_slice"], pore["bbox_slice"] + pore["slices"] - 1
        cut = any(pore[f"touches_{axis}_{end}"] for axis in "xyz" for end in ("min", "max"))
        voxels = {"volume (voxels)": whole(pore["volume_voxels"])}
        rows.append(
            {
                measures.terms.thing: str(pore["pore"]),
                "slices": f"{first + 1} to {last + 1}" if last > first else str(first + 1),
                **({"volume (µm³)": number(pore["volume_um3"])} if "volume_um3" in pore else voxels),
                f"diameter ({scale.unit})": number(pore["equivalent_diameter_px"] * scale.per_px),
                **_centroid(pore),
                "cut by border": "yes" if cut else "no",
            }
        )
        boxes.append(_box(pore) if first <= measures.shown_slice <= last else None)
    share = pores["volume_voxels"].sum() / bodies["volume_voxels"].sum()
    things, file = measures.terms.things, f"{measures.terms.table}_3d.csv"
    volume = "the pore volume" if measures.terms.is_pore else "its volume"
    caption = (
        f"The {len(pores)} largest 3-D {things}, each listed once, hold {percent(share)} of {volume}; the "
        "diameter is that of a sphere of the same volume. The first and the last slice are borders, too. The frame in "
        f"the picture encloses all slices of the {measures.terms.thing}. Numbers are those of {file}. Slices count "
        "from "
        f"1 (in {file} from 0)."
    )
    return _listed(f"Largest {things}", caption, rows, boxes)


def _centroid(pore: Mapping[str, Any]) -> dict[str, str]:
    return {f"{axis} (px)": f"{pore[f'centroid_{axis}_px']:.0f}" for axis in "xy"}


def _box(pore: Mapping[str, Any]) -> tuple[int, int, int, int]:
    x, y, width, height = (int(pore[f"bbox_{side}_px"]) for side in ("x", "y", "width", "height"))
    return x, y, width, height


def _listed(
    title: str, caption: str, rows: list[dict[str, str]], boxes: list[tuple[int, int, int, int] | None]
) -> Table:
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


def volume_table(measures: Measures) -> Table:
    """Of a phase of a stack, what was measured in space."""
    found = _volume(_mapping(measures.manifest.get("volume")), measures.terms)
    rows = tuple((name, _text(value)) for name, value in found.items() if value is not None)
    return Table("In space", "How its voxels are connected from slice to slice.", ("measure", "value"), rows)


def facts(measures: Measures, alone: bool = True) -> tuple[Facts, ...]:
    """Image, model, settings and versions; unknown values are skipped.

    Args:
        measures: of the phase, or of one of several.
        alone: whether it is the only phase; what is said of others' volumes has its place with them.
    """
    manifest = measures.manifest
    request = _mapping(manifest.get("request"))
    about = _mapping(manifest.get("model"))
    model = {
        "Name": about.get("title"),
        "Trained on": about.get("trained_on"),
        "Licence": about.get("licence"),
        "Checkpoint": manifest.get("checkpoint"),
        "SHA-256 of the checkpoint": request.get("checkpoint_sha256"),
        **_seen(_mapping(manifest.get("familiarity"))),
    }
    settings = {name: request.get(key) for key, name in _SETTINGS.items()}
    if manifest.get("reads_prompt") is False:
        settings[_SETTINGS["prompt"]] = "none: this model reads no prompt"
    settings["Share without rock, not segmented"] = _percent(manifest.get("skipped_share") or None)
    lowest, highest = manifest.get("shading") or (None, None)
    if lowest is not None:
        settings["Brightness of the rock (standard deviations from the mean)"] = f"{lowest:+.2f} to {highest:+.2f}"
    seam = _mapping(manifest.get("seam_certificate"))
    if seam.get("crops") and "largest" in seam:
        settings["Seams: largest difference in probability"] = number(float(seam["largest"]), 2)
        settings["Seams: places compared"] = seam["crops"]
    groups = (
        ("Image", {**_taken(measures.acquisition), **_file(_mapping(request.get("scan")))}),
        ("Volume", _volume(_mapping(manifest.get("volume")), measures.terms) if alone else {}),
        ("Model", model),
        ("Settings", settings),
        ("Versions", dict(_mapping(manifest.get("versions")))),
    )
    return tuple(
        Facts(title, items)
        for title, values in groups
        if (items := tuple((name, _text(value)) for name, value in values.items() if value is not None))
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
        "Acceleration voltage": _quantity(acquisition.get("voltage_kv"), "kV"),
        "Working distance": _quantity(acquisition.get("working_distance_mm"), "mm"),
        "Magnification": _quantity(acquisition.get("magnification"), "×"),
        "Date (from the file)": acquisition.get("date"),
        "Info bar": _quantity(acquisition.get("bar_height") or None, "rows"),
        "Pixel size from": _mapping(acquisition.get("sources")).get("pixel_size"),
    }


def _file(scan: Mapping[str, Any]) -> dict[str, Any]:
    size = scan.get("bytes")
    return {
        "File": scan.get("name"),
        "File size": None if not isinstance(size, int | float) else with_unit(number(size / 1e6), "MB"),
        "Pixel type": scan.get("dtype"),
        "SHA-256 of samples": scan.get("sha256_of_samples") or scan.get("sha256_of_fingerprints"),
    }


def _volume(volume: Mapping[str, Any], terms: Terms) -> dict[str, Any]:
    """What is measured on stacks only."""
    found = _mapping(volume.get("connectivity"))
    shares = {axis: _mapping(found.get(axis)).get("percolating_share") for axis in "xyz"}
    return {
        "Slices": volume.get("slices"),
        "Slice spacing": _quantity(volume.get("slice_spacing_nm"), "nm"),
        f"3-D {terms.things}": found.get("pores"),
        f"{terms.thing.capitalize()} volume": _quantity(volume.get("pore_volume_um3"), "µm³"),
        f"Share of the {terms.thing} volume in the largest {terms.thing}": _percent(found.get("largest_share")),
        **{f"Connected fraction along {axis}": _percent(share) for axis, share in shares.items()},
        "Shift of neighbouring slices, median": _quantity(_mapping(volume.get("shifts")).get("median_px"), "px"),
    }


def _percent(value: float | None) -> str | None:
    return None if value is None else percent(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _quantity(value: float | None, unit: str) -> str | None:
    return None if value is None else with_unit(f"{value:.5g}", unit)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
