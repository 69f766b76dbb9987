"""The report of a comparison: one HTML file that needs nothing else, and the table in Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

import pipeline
from pipeline.comparison.charts import epoch_curves, paired_dots, reliability_diagram, strata_figure, variant_colours
from pipeline.comparison.differences import ALIKE, Comparison
from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.comparison.gallery import Exhibit
from pipeline.comparison.paired import TrainingsSpread
from pipeline.comparison.scores import MEASURES, Measure
from pipeline.comparison.variant_scores import cost_caption, pooled_scores, variants_of
from pipeline.metrics import Tolerances
from pipeline.visual.axes import svg_uri
from pipeline.wording import some_of

#: scores of the first table; the second has all
MAIN = ("dice", "porosity_error", "surface_dice", "cl_dice", "betti0_error", "small_pore_recall", "calibration_error")
#: names of the figures that `draw` makes
FIGURES = ("dots", "strata", "curves", "reliability")
#: how many names a fact lists
_MOST = 8


@dataclass(frozen=True, eq=False)
class Findings:
    """What a report says; see :func:`pipeline.comparison.compare.compare`."""

    title: str
    baseline: str
    primary: Measure
    runs: list[EvaluatedRun]
    table: pd.DataFrame
    costs: pd.DataFrame
    comparisons: list[Comparison]
    differences: pd.DataFrame
    strata: pd.DataFrame
    curves: pd.DataFrame
    gallery: list[Exhibit]
    notes: list[str]

    def shown(self) -> list[Measure]:
        """The scores that any run has."""
        have = set(self.table.loc[self.table["mean"].notna(), "measure"])
        return [measure for measure in MEASURES if measure.name in have]

    def verdicts(self) -> list[Comparison]:
        """Those of the primary score."""
        return [one for one in self.comparisons if one.measure is self.primary]


def render(findings: Findings, figures: Mapping[str, Figure]) -> str:
    """The report as HTML, with all pictures inside.

    Args:
        findings: what it says.
        figures: as `draw` made them.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_resource("report.html.j2"))
    runs = findings.runs
    tolerances = {**asdict(Tolerances()), **(runs[0].summary.get("tolerances") or {})}
    return template.render(
        findings=findings,
        style=Markup(_resource("report.css")),
        made=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        version=pipeline.__version__,
        facts=_facts(runs),
        verdicts=[(one, _tone(one)) for one in findings.verdicts()],
        main=_wide(findings, [measure for measure in findings.shown() if measure.name in MAIN], costs=False),
        without_spread=any(
            one.difference.trainings_spread is TrainingsSpread.UNKNOWN for one in findings.verdicts()[:1]
        ),
        cost_caption=cost_caption(findings.costs),
        costs=None if findings.costs.columns.empty else _wide(findings, [], costs=True),
        every=_transposed(findings),
        differences=_differences(findings),
        strata=_strata(findings),
        meanings=[(measure.title, measure.meaning.format(**tolerances)) for measure in findings.shown()],
        figures={name: svg_uri(figures[name]) if name in figures else None for name in FIGURES},
        gallery=_grouped(findings.gallery),
        runs=runs,
    )


def markdown(findings: Findings) -> str:
    """Table and verdicts as Markdown."""
    table = _wide(findings, [measure for measure in findings.shown() if measure.name in MAIN], costs=True)
    lines = ["| " + " | ".join(table["head"]) + " |", "|---|" + "---:|" * (len(table["head"]) - 1)]
    lines += ["| " + " | ".join(map(_plain, row)) + " |" for row in table["rows"]]
    lines += ["", "Means over the images, ± standard deviation over seeds.", ""]
    lines += [f"- {_plain(one.verdict.sentence)}" for one in findings.verdicts()]
    lines += [f"- {_plain(note)}" for note in findings.notes]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown takes for text: names of variants and images are anyone's."""
    return re.sub(r"([\\`|<>*\[\]])", r"\\\1", " ".join(text.split()))


def table_html(findings: Findings) -> str:
    """The long table of variants and scores as an HTML table."""
    return findings.table.to_html(index=False, float_format="%.4f", na_rep="", border=0) + "\n"


def _resource(name: str) -> str:
    return (files("pipeline.comparison") / name).read_text(encoding="utf-8")


def _facts(runs: Sequence[EvaluatedRun]) -> list[tuple[str, str]]:
    images = {name for run in runs for name in run.images["name"]}
    sources = sorted({source for run in runs for source in run.images["source"]})
    codes = sorted({str((run.summary.get("versions") or {}).get("vlsenet", "")) for run in runs} - {""})
    prints = sorted({str(run.summary.get("data_fingerprint") or "") for run in runs} - {""})
    seeds = sorted({run.seed for run in runs} - {""})
    folds = sorted({run.fold for run in runs} - {""})
    facts = [
        ("trainings", f"{len(runs)} of {len(variants_of(runs))} variants"),
        ("seeds", ", ".join(seeds) or "not recorded"),
        ("folds", ", ".join(folds) or "none"),
        ("images", f"{len(images)} of {len(sources)} sources ({some_of(sources, _MOST)})"),
        ("split", ", ".join(sorted({str(run.summary.get("split") or "not recorded") for run in runs}))),
        ("data", some_of(prints, _MOST) or "no fingerprint"),
        ("code", some_of(codes, _MOST) or "not recorded"),
    ]
    return facts


def _tone(one: Comparison) -> str:
    return "alike" if one.verdict.word == ALIKE else one.verdict.word


def _number(value: float, spread: float = math.nan, sign: str = "") -> str:
    """Four significant places where numbers are small, so that neighbours stay apart; a dash where there is none."""
    if math.isnan(value):
        return "–"
    places = 4 if abs(value) < 10 else 1
    text = f"{value:{sign}.{places}f}"
    return text if math.isnan(spread) else f"{text} ± {spread:.{places}f}"


def _wide(findings: Findings, measures: Sequence[Measure], costs: bool) -> dict[str, Any]:
    """A row for each variant, a column for each score: mean over the images and deviation over the seeds."""
    table = findings.table.set_index(["variant", "measure"])
    columns = list(findings.costs.columns) if costs else []
    rows = []
    for variant in variants_of(findings.runs):
        cells = [table.loc[(variant, measure.name)] for measure in measures]
        row = [variant, str(int(table.loc[(variant, MEASURES[0].name), "trainings"]))]
        row += [_number(cell["mean"], cell["seed_sd"]) for cell in cells]
        row += [_cost(findings.costs.loc[variant, column]) for column in columns]
        rows.append(row)
    return {"head": ["variant", "trainings", *(measure.title for measure in measures), *columns], "rows": rows}


def _cost(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _transposed(findings: Findings) -> list[dict[str, Any]]:
    """Every score, and in it a row for each variant."""
    groups = []
    for measure in findings.shown():
        rows = findings.table[findings.table["measure"] == measure.name].to_dict("records")
        groups.append(
            {
                "title": measure.title,
                "arrow": "higher is better" if measure.higher else "lower is better",
                "rows": [
                    [
                        row["variant"],
                        _number(row["mean"]),
                        _number(row["seed_sd"]),
                        _number(row["fold_sd"]),
                        _number(row["pooled"]),
                        _number(row["pooled_seed_sd"]),
                    ]
                    for row in rows
                ],
            }
        )
    return groups


def _differences(findings: Findings) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for one in findings.comparisons:
        difference = one.difference
        main = one.measure is findings.primary or one.measure.name in MAIN
        group = groups.setdefault(one.measure.title, {"title": one.measure.title, "main": main, "rows": []})
        group["rows"].append(
            {
                "cells": [
                    one.variant,
                    _number(difference.mean, sign="+"),
                    _interval(difference.low, difference.high),
                    _p(one.p),
                    _p(one.p_wilcoxon),
                ],
                "word": one.verdict.word,
                "tone": _tone(one),
                "why": one.verdict.sentence,
            }
        )
    return list(groups.values())


def _strata(findings: Findings) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = []
    if findings.strata.empty:
        return groups
    for variable, rows in findings.strata.groupby("variable", sort=False):
        groups.append(
            {
                "title": variable,
                "value_of": rows["value_of"].iloc[0],
                "rows": [
                    [
                        row["stratum"],
                        row["variant"],
                        str(row["count"]),
                        _number(row["baseline"]),
                        _number(row["value"]),
                        _number(row["difference"], sign="+"),
                        _interval(row["low"], row["high"]),
                    ]
                    for row in rows.to_dict("records")
                ],
            }
        )
    return groups


def _interval(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{_number(low, sign='+')} to {_number(high, sign='+')}"


def _p(value: float) -> str:
    return "–" if math.isnan(value) else ("< 0.001" if value < 0.001 else f"{value:.3f}")


def draw(findings: Findings) -> dict[str, Figure]:
    """The report's figures by name, without those for which there is nothing to draw."""
    runs, baseline = findings.runs, findings.baseline
    variants = variants_of(runs)
    colours = variant_colours(variants, baseline)
    figures: dict[str, Figure] = {}
    differences = {one.variant: one.difference for one in findings.verdicts() if one.difference.images}
    if differences:
        figures["dots"] = paired_dots(differences, baseline, findings.primary, colours)
    if not findings.strata.empty:
        figures["strata"] = strata_figure(findings.strata, baseline, colours)
    if not findings.curves.empty:
        figures["curves"] = epoch_curves(findings.curves, colours)
    calibrations = {}
    for variant in variants:
        pooled = pooled_scores([run for run in runs if run.variant == variant])
        if pooled is not None and pooled.calibration is not None:
            calibrations[variant] = pooled.calibration
    if calibrations:
        figures["reliability"] = reliability_diagram(calibrations, colours)
    return figures


def _grouped(exhibits: Sequence[Exhibit]) -> dict[str, list[Exhibit]]:
    groups: dict[str, list[Exhibit]] = {}
    for exhibit in exhibits:
        groups.setdefault(exhibit.variant, []).append(exhibit)
    return groups
