"""The page of one evaluation: scores, true against predicted porosity, and the images that went worst."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import pipeline
from pipeline.comparison.gallery import thumbnail
from pipeline.comparison.scores import MEASURES
from pipeline.files import write_text
from pipeline.metrics import Tolerances
from pipeline.metrics.threshold import CLEAR_GAIN
from pipeline.phases import picture_name
from pipeline.visual.drawing import BLUE, VERMILLION, as_float
from pipeline.visual.figure import label_axes, new_figure, svg_uri

PAGE = "report.html"
#: images that are shown: the worst, from the middle, the best
_WORST, _MIDDLE, _BEST = 3, 1, 1
_SIZE = 4.2, 3.2  # inches
_DASH = "–"
#: scores that are numbers of pores, not shares
_COUNTED = ("betti0", "pores")


@dataclass(frozen=True)
class Shown:
    """One image with its pictures: title and data URI."""

    name: str
    dice: str
    pictures: list[tuple[str, str]]


@dataclass(frozen=True)
class PhasePart:
    """What the page says of one phase; cells are text."""

    name: str
    sentences: list[str]
    figures: list[tuple[str, str]]
    scores: list[tuple[str, ...]]
    pictures: list[Shown]
    pictures_note: str
    columns: tuple[str, ...]
    images: list[tuple[str, ...]]


@dataclass(frozen=True)
class EvaluationPage:
    """The whole page."""

    title: str
    facts: list[tuple[str, str]]
    phases: list[PhasePart]
    meanings: list[tuple[str, str]]


def write_evaluation_page(folder: Path, summary: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> None:
    """Write ``report.html``: one file that needs no network.

    Args:
        folder: of the evaluation, with ``truth/`` and ``overlays/``.
        summary: as in ``summary.json``.
        tables: the rows of ``per_image.csv`` of each phase that has any, by its name.
    """
    several = "phases" in summary
    parts = [
        _part(folder, name, summary["phases"][name] if several else summary, table, several)
        for name, table in tables.items()
    ]
    tolerances = Tolerances(**summary["tolerances"])
    shown = {row[0] for part in parts for row in part.scores}
    limits = {name: getattr(tolerances, name) for name in ("surface", "boundary", "small_pore")}
    meanings = [(one.title, one.meaning.format(**limits)) for one in MEASURES if one.title in shown]
    title = Path(str(summary.get("dataset_dir", folder))).name
    page = EvaluationPage(title, _facts(summary), parts, meanings)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template, style = (_resource(name) for name in ("evaluation.html.j2", "report.css"))
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    html = environment.from_string(template).render(
        page=page, style=Markup(style), made=made, version=pipeline.__version__
    )
    write_text(folder / PAGE, html)


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    model, threshold = summary.get("model"), summary.get("threshold")
    told = threshold if isinstance(threshold, Mapping) else {"": threshold}
    data = f"{summary.get('dataset_dir', _DASH)}, split {summary.get('split', _DASH)}"
    return [
        ("model", model["title"] if model else str(summary.get("checkpoint", _DASH))),
        ("data", data),
        ("images", str(summary["images"])),
        (
            "threshold",
            ", ".join(f"{name} {_DASH if value is None else f'{value:g}'}".strip() for name, value in told.items()),
        ),
    ]


def _part(folder: Path, name: str, summary: Mapping[str, Any], table: pd.DataFrame, several: bool) -> PhasePart:
    true, found = _area_columns(table)
    ordered = table.sort_values("dice", na_position="last", ignore_index=True)
    places = list(dict.fromkeys([*range(min(_WORST, len(ordered))), *_middle(len(ordered)), *_last(len(ordered))]))
    shown = [_shown(folder, row, name if several else None) for row in ordered.iloc[places].to_dict("records")]
    columns = [
        one
        for one in ("name", "source", "dice", "precision", "recall", true, found, "otsu_dice")
        if one in table and table[one].notna().any()
    ]
    count = len(ordered)
    return PhasePart(
        name=name,
        sentences=_sentences(summary, name, several),
        figures=[
            (
                f"{'Area of the phase' if several else 'Porosity'} of each image, true and predicted; on the line they "
                "are equal.",
                svg_uri(_areas_figure(ordered, true, found)),
            ),
            ("Dice of each image, sorted.", svg_uri(_dice_figure(ordered))),
        ],
        scores=_scores(summary),
        pictures=[one for one in shown if one.pictures],
        pictures_note=f"{len(places)} of {count}: the worst, one from the middle, and the best."
        if count > len(places)
        else "",
        columns=tuple(one.replace("_", " ") for one in columns),
        images=[tuple(_cell(row[one]) for one in columns) for row in ordered.to_dict("records")],
    )


def _middle(count: int) -> list[int]:
    return [count // 2] * min(_MIDDLE, count)


def _last(count: int) -> list[int]:
    return list(range(max(0, count - _BEST), count))


def _area_columns(table: pd.DataFrame) -> tuple[str, str]:
    """The columns of true and predicted share: of porosity, or of a phase's area."""
    kind = "porosity" if "porosity_true" in table else "area"
    return f"{kind}_true", f"{kind}_predicted"


def _sentences(summary: Mapping[str, Any], phase: str, several: bool) -> list[str]:
    kind = "area" if several else "porosity"
    mean, pooled = summary["mean"], summary["pooled"]
    said = [
        f"Dice {_cell(mean['dice'])} on average over {summary['images']} images, {_cell(pooled['dice'])} over all "
        "their pixels together.",
        f"{kind.capitalize()} of all pixels: {_cell(pooled.get(f'{kind}_predicted'))} predicted, "
        f"{_cell(pooled.get(f'{kind}_true'))} true; off by {_cell(mean.get(f'{kind}_error'))} on average over the "
        "images.",
    ]
    if pooled.get("otsu_dice") is not None:
        said.append(f"Otsu's threshold, which needs no training: Dice {_cell(pooled['otsu_dice'])} over all pixels.")
    suited = summary.get("suited_threshold")
    if suited and pooled["dice"] is not None and suited["dice"] >= pooled["dice"] + CLEAR_GAIN:
        others = ", with those of the other phases as they are" if several else ""
        said.append(
            f"These images would be served best by a threshold of {suited['threshold']:.3g} (Dice "
            f"{_cell(suited['dice'])}{others}); it was chosen on them, so score it on others first."
        )
    return said


def _scores(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    found = []
    for one in MEASURES:
        name = one.name if one.name in summary["mean"] else one.name.replace("porosity", "area")
        values = [summary[kind].get(name) for kind in ("mean", "std", "pooled")]
        if any(value is not None for value in values):
            cell = _count if any(part in name for part in _COUNTED) else _cell
            found.append((one.title, *map(cell, values)))
    return found


def _cell(value: Any) -> str:
    """A cell as text: shares to four decimals."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _DASH
    return f"{value:.4f}" if isinstance(value, (float, np.floating)) else str(value)


def _count(value: float | None) -> str:
    """A number of pores, or the mean of several: one decimal at most."""
    return _DASH if value is None or math.isnan(value) else f"{value:.1f}".removesuffix(".0")


def _shown(folder: Path, row: Mapping[str, Any], phase: str | None) -> Shown:
    file = picture_name(str(row["name"]), phase)
    titled = {"truth": "true", "overlays": "errors"}
    found = [(title, thumbnail(folder / kind / file)) for kind, title in titled.items()]
    return Shown(str(row["name"]), _cell(row["dice"]), [(title, one) for title, one in found if one is not None])


def _areas_figure(table: pd.DataFrame, true: str, found: str) -> Figure:
    """True against predicted share of each image."""
    figure = new_figure(*_SIZE)
    axes = figure.subplots()
    most = 105 * max(float(table[[true, found]].max().max()), 0.01)
    axes.plot([0, most], [0, most], color="0.6", linewidth=1, zorder=1)
    axes.plot(100 * table[true], 100 * table[found], "o", color=as_float(BLUE), markersize=4, alpha=0.7)
    axes.set(xlim=(0, most), ylim=(0, most), aspect="equal")
    label_axes(axes, "true (%)", "predicted (%)")
    return figure


def _dice_figure(table: pd.DataFrame) -> Figure:
    """The Dice of each image; the table is sorted by it."""
    figure = new_figure(*_SIZE)
    axes = figure.subplots()
    axes.plot(np.arange(1, len(table) + 1), table["dice"], "o", color=as_float(VERMILLION), markersize=4)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    label_axes(axes, "image, from the worst", "Dice")
    return figure


def _resource(name: str) -> str:
    return (files("pipeline.comparison") / name).read_text(encoding="utf-8")
