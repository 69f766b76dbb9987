"""The report of a comparison: one HTML file that needs nothing else, and the table in Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.resources import files

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

import pipeline
from pipeline.comparison.charts import epoch_curves, paired_dots, reliability_diagram, strata_figure, variant_colours
from pipeline.comparison.differences import ALIKE, Comparison, Verdict
from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.comparison.gallery import Exhibit
from pipeline.comparison.paired import TrainingsSpread
from pipeline.comparison.scores import MEASURES, Measure
from pipeline.comparison.variant_scores import cost_caption, pooled_scores, variants_of
from pipeline.metrics import Tolerances
from pipeline.visual.figure import svg_uri
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
    phases: pd.DataFrame
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
    """The report as HTML, with the figures that `draw` made and all pictures inside."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": _number, "interval": _interval, "p": _p, "tone": _tone}
    tolerances = {**asdict(Tolerances()), **(findings.runs[0].summary.get("tolerances") or {})}
    verdicts, main = findings.verdicts(), {*MAIN, findings.primary.name}
    return environment.from_string(_resource("report.html.j2")).render(
        findings=findings,
        style=Markup(_resource("report.css")),
        made=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        version=pipeline.__version__,
        facts=_facts(findings.runs),
        scores=_wide(findings, costs=False),
        without_spread=verdicts and verdicts[0].difference.trainings_spread is TrainingsSpread.UNKNOWN,
        cost_caption=cost_caption(findings.costs),
        costs=None if findings.costs.columns.empty else _wide(findings, scores=False),
        differences=[one for one in findings.comparisons if one.measure.name in main],
        other_differences=[one for one in findings.comparisons if one.measure.name not in main],
        meanings=[(measure.title, measure.meaning.format(**tolerances)) for measure in findings.shown()],
        figures={name: svg_uri(figures[name]) if name in figures else None for name in FIGURES},
    )


def markdown(findings: Findings) -> str:
    """Table and verdicts as Markdown."""
    head, *rows = _wide(findings)
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(map(_plain, row)) + " |" for row in rows]
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
    codes = _distinct((run.summary.get("versions") or {}).get("vlsenet") for run in runs)
    return [
        ("variants", str(len(variants_of(runs)))),
        ("trainings", str(len(runs))),
        ("seeds", _counted(_distinct(run.seed for run in runs)) or "not recorded"),
        ("folds", ", ".join(_distinct(run.fold for run in runs)) or "none"),
        ("images", str(len(images))),
        ("sources", _counted(sources)),
        ("split", ", ".join(_distinct(run.summary.get("split") or "not recorded" for run in runs))),
        ("data", some_of(_distinct(run.summary.get("data_fingerprint") for run in runs), _MOST) or "no fingerprint"),
        ("code", some_of(codes, _MOST) or "not recorded"),
    ]


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} ({some_of(names, _MOST)})" if names else ""


def _distinct(values: Iterable[object]) -> list[str]:
    return sorted({str(value) for value in values if value})


def _tone(verdict: Verdict) -> str:
    """A verdict's class in the style sheet."""
    return "alike" if verdict.word == ALIKE else verdict.word


def _number(value: float, spread: float = math.nan, sign: str = "") -> str:
    """Four significant places where numbers are small, so that neighbours stay apart; a dash where there is none."""
    if math.isnan(value):
        return "–"
    places = 4 if abs(value) < 10 else 1
    text = f"{value:{sign}.{places}f}"
    return text if math.isnan(spread) else f"{text} ± {spread:.{places}f}"


def _wide(findings: Findings, scores: bool = True, costs: bool = True) -> list[list[str]]:
    """A row for each variant below the head: the main scores, as mean over the images ± deviation over the seeds.

    Of several phases the score of the verdicts follows for each.
    """
    table = findings.table.set_index(["variant", "measure"])
    measures = [measure for measure in findings.shown() if measure.name in MAIN] if scores else []
    columns = list(findings.costs.columns) if costs else []
    phases = _by_phase(findings) if scores else {}
    titles = [*(measure.title for measure in measures), *phases]
    rows = [["variant", "trainings", *titles, *columns]]
    for variant in variants_of(findings.runs):
        cells = [table.loc[(variant, measure.name)] for measure in measures]
        cells += [phase.loc[variant] for phase in phases.values()]
        row = [variant, str(int(table.loc[(variant, MEASURES[0].name), "trainings"]))]
        row += [_number(cell["mean"], cell["seed_sd"]) for cell in cells]
        rows.append([*row, *(_cost(findings.costs.loc[variant, column]) for column in columns)])
    return rows


def _by_phase(findings: Findings) -> dict[str, pd.DataFrame]:
    """The score of the verdicts for each of several phases: title to its rows, variants as index."""
    if findings.phases.empty:
        return {}
    primary = findings.phases[findings.phases["measure"] == findings.primary.name].set_index("variant")
    return {f"{findings.primary.title}, {name}": rows for name, rows in primary.groupby("phase", sort=False)}


def _cost(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


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
