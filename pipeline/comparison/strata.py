"""Where a variant gains: by size, shape and direction of the pores, by source and by magnification."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.comparison.paired import paired_difference
from pipeline.comparison.scores import Measure
from pipeline.comparison.variant_scores import score_rows
from pipeline.metrics.pore_objects import HIT

_AREAS = (0, 10, 25, 100, 400, 1600, np.inf)
_RATIOS = (1, 1.5, 2.5, 4, np.inf)
#: what has a direction, and no aspect ratio
_LINES = "one pixel wide"
_DIRECTIONS = ("horizontal", "rising to the right", "vertical", "falling to the right")
#: from here on a pore has a direction
_ELONGATED = 1.5
#: more are not readable
_MOST_IMAGE_STRATA = 12


def strata_table(runs: Sequence[EvaluatedRun], baseline: str, primary: Measure) -> pd.DataFrame:
    """A row for each variant and stratum: value, that of the baseline, difference with its 95 % interval.

    For strata of pores the value is the share of true pores that are hit (at least half their pixels found), each pore
    counting alike; for strata of images it is the primary score. Intervals are those of :func:`paired_difference`,
    without a correction for the number of strata.
    """
    parts = [_pore_rows(runs, variable, bins) for variable, bins in _PORE_STRATA.items()]
    images = score_rows(runs, primary.name).assign(weight=1.0, value_of=primary.title, largest=primary.largest)
    sizes = _pixel_sizes(runs)
    parts.append(images.assign(variable="source", stratum=images["source"]))
    if sizes:
        named = images["name"].map(lambda name: f"{sizes[name]:.4g} nm/px" if name in sizes else "unknown")
        parts.append(images.assign(variable="pixel size", stratum=named))
    rows = []
    for table in parts:
        if table.empty:
            continue
        order = list(dict.fromkeys(table["stratum"])) if table["variable"].iloc[0] in _ORDERED else _largest(table)
        for stratum in order:
            own = table[table["stratum"] == stratum]
            theirs = own[own["variant"] == baseline]
            for variant in dict.fromkeys(own["variant"]):
                if variant != baseline and len(theirs):
                    rows.append(_row(own[own["variant"] == variant], theirs))
    return pd.DataFrame(rows)


def _row(own: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, object]:
    first = own.iloc[0]
    difference = paired_difference(own, theirs, largest=first["largest"])
    return {
        "variable": first["variable"],
        "stratum": first["stratum"],
        "variant": first["variant"],
        "value_of": first["value_of"],
        "count": int(difference.by_image["weight"].sum()),
        "value": _mean(own),
        "baseline": _mean(theirs),
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "trainings_spread": difference.trainings_spread.value,
    }


def _mean(rows: pd.DataFrame) -> float:
    known = rows.dropna(subset="value")
    return float(np.average(known["value"], weights=known["weight"])) if known["weight"].sum() else float("nan")


def _by_edges(column: str, edges: Sequence[float], unit: str) -> Callable[[pd.DataFrame], pd.Series]:
    inner = [f"{low:g} to {high:g}{unit}" for low, high in pairwise(edges[1:-1])]
    labels = [f"up to {edges[1]:g}{unit}", *inner, f"above {edges[-2]:g}{unit}"]
    return lambda pores: pd.cut(pores[column], edges, labels=labels, include_lowest=True)


def _direction(pores: pd.DataFrame) -> pd.Series:
    """Four directions of 45 degrees each, of the elongated pores."""
    elongated = (pores["aspect_ratio"] >= _ELONGATED) | _is_line(pores)
    index = ((pores["orientation_deg"].where(elongated, 0) + 22.5) // 45 % 4).astype(int)
    named = pd.Series(np.array(_DIRECTIONS)[index], index=pores.index)
    return named.where(elongated).astype(pd.CategoricalDtype(_DIRECTIONS))


def _ratio(pores: pd.DataFrame) -> pd.Series:
    """Classes of the aspect ratio, and lines; a single pixel is in none."""
    classes = _by_edges("aspect_ratio", _RATIOS, "")(pores).cat.add_categories(_LINES)
    return classes.mask(_is_line(pores), _LINES)


def _is_line(pores: pd.DataFrame) -> pd.Series:
    return pores["aspect_ratio"].isna() & pores["orientation_deg"].notna()


_PORE_STRATA: Mapping[str, Callable[[pd.DataFrame], pd.Series]] = {
    "pore area": _by_edges("area_px", _AREAS, " px"),
    "aspect ratio": _ratio,
    "orientation": _direction,
}
_ORDERED = set(_PORE_STRATA)


def _pore_rows(runs: Sequence[EvaluatedRun], variable: str, bins: Callable[[pd.DataFrame], pd.Series]) -> pd.DataFrame:
    """Share of the pores that are hit, for each stratum, image and run."""
    parts = []
    for run in runs:
        if run.pores.empty:
            continue
        pores = run.pores.assign(stratum=bins(run.pores), hit=run.pores["found"] >= HIT)
        grouped = pores.groupby(["stratum", "name", "source"], observed=True)["hit"].agg(["mean", "size"]).reset_index()
        parts.append(
            grouped.rename(columns={"mean": "value", "size": "weight"}).assign(
                **run.labels, variable=variable, value_of="pores hit", largest=1.0
            )
        )
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True).sort_values("stratum", kind="stable")  # categories, in their order
    return table.assign(stratum=table["stratum"].astype(str))


def _pixel_sizes(runs: Sequence[EvaluatedRun]) -> dict[str, float]:
    known = pd.concat([run.images.reindex(columns=["name", "pixel_size_nm"]) for run in runs]).dropna()
    return dict(zip(known["name"], known["pixel_size_nm"], strict=True))


def _largest(table: pd.DataFrame) -> list[str]:
    images = table.drop_duplicates(["stratum", "name"])["stratum"].value_counts()
    return sorted(images.index[:_MOST_IMAGE_STRATA])
