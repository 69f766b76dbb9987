"""What the figures of a report draw, as tables for other programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from pipeline.measure.pore_statistics import SizeDistribution
from pipeline.report.measures import ENOUGH_OBJECTS, Measures


def figure_tables(measures: Measures) -> dict[str, pd.DataFrame]:
    """The data of the figures that have something to show, by the names of `PLOTS`; lengths in the report's unit.

    Columns name their unit; shares and probabilities are 0 to 1.
    """
    made = ((name, make(measures)) for name, make in TABLES.items())
    return {name: table for name, table in made if table is not None and len(table)}


def _sizes(measures: Measures) -> pd.DataFrame | None:
    """Bins of the equivalent diameter, and below them D10, D50 and D90."""
    return _distribution(measures.told_sizes, measures.corrected_sizes, measures.scale.unit, "area")


def _body_sizes(measures: Measures) -> pd.DataFrame | None:
    """The same of 3-D objects, by number and volume."""
    return _distribution(measures.body_sizes(), measures.body_sizes(corrected=True), measures.body_scale.unit, "volume")


def _distribution(
    sizes: SizeDistribution | None, corrected: SizeDistribution | None, unit: str, extent: str
) -> pd.DataFrame | None:
    if sizes is None:
        return None
    names = ("number", extent)
    # of the same pores, so that the bins are the same
    versions = {"": sizes} if corrected is None else {"": sizes, "_corrected": corrected}
    bins: dict[str, Any] = {"what": "bin", f"from_{unit}": sizes.edges[:-1], f"to_{unit}": sizes.edges[1:]}
    percentiles: dict[str, Any] = {"what": ["D10", "D50", "D90"]}
    for suffix, one in versions.items():
        bins |= {
            f"share_by_{name}{suffix}": share for name, share in zip(names, (one.by_number, one.by_area), strict=True)
        }
        both = zip(names, (one.number_percentiles, one.area_percentiles), strict=True)
        percentiles |= {f"by_{name}{suffix}_{unit}": values for name, values in both}
    return pd.concat([pd.DataFrame(bins), pd.DataFrame(percentiles)], ignore_index=True)


def _directions(measures: Measures) -> pd.DataFrame | None:
    rose = measures.rose
    if rose is None or rose.count < ENOUGH_OBJECTS:
        return None
    return pd.DataFrame({"from_deg": rose.edges[:-1], "to_deg": rose.edges[1:], "share_by_area": rose.share})


def _shapes(measures: Measures) -> pd.DataFrame | None:
    """The pores themselves: any bins can be made of them."""
    if measures.rose is None or measures.rose.count < ENOUGH_OBJECTS:
        return None
    return measures.shaped_pores[["pore", "area_px", "aspect_ratio", "circularity"]]


def _porosity_map(measures: Measures) -> pd.DataFrame | None:
    fields, side, region = measures.porosity.fields, measures.porosity.field, measures.plan.region
    slices, rows, columns = np.nonzero(np.isfinite(fields))
    return pd.DataFrame(
        {
            "slice": slices,
            "x_px": region.x + columns * side,
            "y_px": region.y + rows * side,
            measures.terms.fraction.replace(" ", "_"): fields[slices, rows, columns],
        }
    )


def _representative_area(measures: Measures) -> pd.DataFrame | None:
    areas, scale = measures.representative, measures.field_scale
    return pd.DataFrame(
        {
            f"side_{scale.unit}": scale.lengths(areas.side),
            "fields": areas.count,
            "mean": areas.mean,
            "standard_deviation": areas.spread,
            "lowest": areas.low,
            "highest": areas.high,
        }
    )


def _two_point(measures: Measures) -> pd.DataFrame | None:
    survey, scale = measures.survey, measures.scale
    if not survey.two_point_x.hits[0]:
        return None
    curves = [
        pd.DataFrame({f"distance_{scale.unit}": scale.lengths(pairs.lags), f"s2_along_{axis}": pairs.s2})
        for axis, pairs in (("x", survey.two_point_x), ("y", survey.two_point_y))
    ]
    return pd.merge(*curves, how="outer")


def _chords(measures: Measures) -> pd.DataFrame | None:
    """How many whole chords have each length."""
    survey, scale = measures.survey, measures.scale
    counts = [survey.chords_x.counts, survey.chords_y.counts]
    longest = max(map(len, counts))
    along_x, along_y = (np.pad(one, (0, longest - len(one))) for one in counts)
    seen = np.flatnonzero(along_x + along_y)
    lengths = {f"length_{scale.unit}": scale.lengths(seen)}
    return pd.DataFrame({**lengths, "chords_along_x": along_x[seen], "chords_along_y": along_y[seen]})


def _threshold(measures: Measures) -> pd.DataFrame | None:
    """What share of the rock reaches each 8-bit probability."""
    probabilities = measures.survey.probabilities
    if not probabilities[1:].any():
        return None
    reaching = np.cumsum(probabilities[::-1])[::-1] / probabilities.sum()
    fraction = measures.terms.fraction.replace(" ", "_")
    return pd.DataFrame({"threshold": np.arange(1, 256) / 255, fraction: reaching[1:]})


#: by the names of the figures
TABLES: dict[str, Callable[[Measures], pd.DataFrame | None]] = {
    "size_distribution_3d": _body_sizes,
    "size_distribution": _sizes,
    "orientation_rose": _directions,
    "shapes": _shapes,
    "porosity_map": _porosity_map,
    "representative_area": _representative_area,
    "two_point_correlation": _two_point,
    "chord_lengths": _chords,
    "threshold": _threshold,
}
