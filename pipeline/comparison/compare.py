"""Runs of an MLflow store compared: tables, verdicts and a report."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pipeline.comparison.choice import choose_runs
from pipeline.comparison.common_phases import on_common_phases
from pipeline.comparison.differences import compare_variants, differences_table
from pipeline.comparison.evaluated_runs import EvaluatedRun, read_curves, read_runs
from pipeline.comparison.gallery import make_gallery
from pipeline.comparison.html_report import FIGURES, Findings, draw, markdown, render, table_html
from pipeline.comparison.same_data import check_same_data
from pipeline.comparison.scores import BY_NAME, Measure
from pipeline.comparison.strata import strata_table
from pipeline.comparison.variant_scores import cost_table, phase_table, variant_table, variants_of
from pipeline.csv_tables import csv_text
from pipeline.errors import UserError
from pipeline.files import files_together
from pipeline.locks import locked_folder
from pipeline.tracking.outbox import Outbox
from pipeline.tracking.stores import COMPARISON_FOLDER, PARENT, Store, StoredRun
from pipeline.wording import nearest

_DEFAULT_BASELINE = "unet"
_PICTURE_FOLDER, _OF_PHASES = "figures", "phases.csv"
_PICTURES = f"{COMPARISON_FOLDER}/{_PICTURE_FOLDER}"


@dataclass(frozen=True, eq=False)
class Compared:
    """What was found, as a table with verdicts in Markdown too, and in an HTML file; and the runs left out."""

    findings: Findings
    markdown: str
    report: Path
    left_out: Sequence[str]


def compare(
    tracking_uri: str | Sequence[str],
    output_dir: str | Path,
    experiment_name: str | None = None,
    run_ids: Sequence[str] = (),
    baseline: str | None = None,
    measure: str = "dice",
    split: str | None = None,
) -> Compared:
    """Compare the variants of an experiment, and write what was found.

    Writes ``report.html``, ``variants.csv``, ``variants.md``, ``variants.html``, ``differences.csv``, ``strata.csv``
    and ``figures/``, of several phases also ``phases.csv`` with the scores of each, and logs them to the parent run
    where the runs have one in common.

    Args:
        tracking_uri: MLflow store, or several: ``sqlite:///FILE.db`` or a server's address.
        output_dir: folder of the results.
        experiment_name: all evaluated runs of this MLflow experiment; None: the one that has any ...
        run_ids: ... or these runs; the id of a parent run stands for its children.
        baseline: variant to compare with; None: ``unet`` where there is one, or the only one whose network is U-Net, or
            else that of the first of `run_ids`.
        measure: score of the verdicts at the top, of the strata of images and of the gallery.
        split: only evaluations of this part of the data; None: the first evaluation of each training.

    Raises:
        UserError: no such store, experiment, run, baseline or score; runs that can't be compared; a folder with the
            results of something else.
    """
    if measure not in BY_NAME:
        raise UserError(f"--metric {measure}: unknown score; choose from {', '.join(BY_NAME)}")
    output_dir = Path(output_dir)
    _check_folder(output_dir)
    uris = [tracking_uri] if isinstance(tracking_uri, str) else list(dict.fromkeys(tracking_uri))
    choice = choose_runs([Store(uri) for uri in uris], experiment_name, run_ids, split)
    with tempfile.TemporaryDirectory() as scratch:
        runs, left_out = read_runs(choice.runs, Path(scratch))
        runs, about_phases = on_common_phases(runs)
        notes = [*choice.notes, *about_phases, *check_same_data(runs)]
        if left_out:
            notes.append(f"Skipped, as they have no evaluation: {', '.join(left_out)}.")
        if unfinished := [_how_far(run) for run in runs if run.stored.status != "FINISHED"]:
            notes.append(f"Not trained to the end, and compared as they are: {', '.join(unfinished)}.")
        baseline = _baseline(baseline, runs, choice.runs if run_ids else ())
        findings = collect_findings(runs, choice.title, baseline, BY_NAME[measure], notes, Path(scratch))
    figures = draw(findings)
    files = {
        "report.html": render(findings, figures),
        "variants.csv": csv_text(findings.table, "%.6g"),
        "differences.csv": csv_text(findings.differences, "%.6g"),
        "strata.csv": csv_text(findings.strata, "%.6g"),
        "variants.md": markdown(findings),
        "variants.html": table_html(findings),
    }
    if not findings.phases.empty:
        files[_OF_PHASES] = csv_text(findings.phases, "%.6g")
    try:
        pictures = _write(output_dir, files, figures)
    except OSError as error:
        raise UserError(f"--output_dir {output_dir}: can't be written ({error.strerror or error})") from error
    _log(output_dir, findings.runs, {COMPARISON_FOLDER: [output_dir / name for name in files], _PICTURES: pictures})
    return Compared(findings, files["variants.md"], output_dir / "report.html", left_out)


def _how_far(run: EvaluatedRun) -> str:
    """A run that was stopped, with the epochs that it has of those that it was to have."""
    planned, trained = run.stored.parameters.get("max_epochs", "?"), run.epochs
    epochs = "" if trained is None else f", at epoch {trained} of {planned}"
    return f"{run.name} ({run.stored.status.lower()}{epochs})"


def _write(output_dir: Path, files: Mapping[str, str], figures: Mapping[str, Figure]) -> list[Path]:
    """Write all files and the figures as PNG files, or nothing; returns the figures' paths.

    What an earlier comparison had besides is removed; another process that compares into the folder waits.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    pictures = {f"{_PICTURE_FOLDER}/{name}.png": figure for name, figure in figures.items()}
    with locked_folder(output_dir):
        with files_together(output_dir) as path_of:
            for name, text in files.items():
                path_of(name).write_text(text, encoding="utf-8")
            for name, figure in pictures.items():
                figure.savefig(path_of(name), format="png", dpi=120)
        for name in (_OF_PHASES, *(f"{_PICTURE_FOLDER}/{name}.png" for name in FIGURES)):
            if name not in files and name not in pictures:
                (output_dir / name).unlink(missing_ok=True)
    return [output_dir / name for name in pictures]


def collect_findings(
    runs: Sequence[EvaluatedRun], title: str, baseline: str, primary: Measure, notes: Sequence[str], folder: Path
) -> Findings:
    """All that a report says of the runs of all variants; pictures are downloaded into `folder`."""
    runs = sorted(runs, key=lambda run: run.variant != baseline)
    comparisons = compare_variants(runs, baseline)
    return Findings(
        title=title,
        baseline=baseline,
        primary=primary,
        runs=runs,
        table=variant_table(runs),
        phases=phase_table(runs),
        costs=cost_table(runs),
        comparisons=comparisons,
        differences=differences_table(comparisons),
        strata=strata_table(runs, baseline, primary),
        curves=read_curves(runs),
        gallery=[
            exhibit
            for one in comparisons
            if one.measure is primary
            for exhibit in make_gallery(runs, one, baseline, folder)
        ],
        notes=[*notes, *_about_sources(runs)],
    )


def _check_folder(output_dir: Path) -> None:
    if output_dir.exists() and not output_dir.is_dir():
        raise UserError(f"--output_dir {output_dir}: it is a file; give a folder for the results")
    if (output_dir / "report.html").exists() and not (output_dir / "differences.csv").exists():
        raise UserError(
            f"--output_dir {output_dir}: its report.html was not written by a comparison; choose another folder"
        )


def _baseline(asked: str | None, runs: Sequence[EvaluatedRun], named: Sequence[StoredRun]) -> str:
    variants = variants_of(runs)
    there = ", ".join(variants)
    if asked is None:
        other = {run.variant for run in runs if run.stored.parameters.get("network.network") != _DEFAULT_BASELINE}
        unets = [name for name in variants if name not in other]
        for candidates in ([name for name in variants if name == _DEFAULT_BASELINE], variants, unets):
            if len(candidates) == 1:
                return candidates[0]
        by_id = {run.stored.run_id: run.variant for run in runs}
        for one in named:
            if one.run_id in by_id:
                return by_id[one.run_id]
        raise UserError(f"--baseline is missing; choose from {there}")
    if asked not in variants:
        meant = nearest(asked, variants)
        hint = f"did you mean {meant}? Choose" if meant else "choose"
        raise UserError(f"--baseline {asked}: no evaluated run of this variant; {hint} from {there}")
    return asked


def _about_sources(runs: Sequence[EvaluatedRun]) -> list[str]:
    """What few sources, or one that has most of the images, mean for the intervals."""
    images = pd.concat(run.images[["name", "source"]] for run in runs).drop_duplicates()
    counts = images["source"].value_counts()
    notes = []
    if len(counts) == 1:
        notes.append(f"All images are from one source ({counts.index[0]}): the findings hold for this source only.")
    elif len(counts) < 6:
        notes.append(
            f"Only {len(counts)} sources: little is known about how sources differ, so the intervals are wide; more "
            "images of the same sources would not narrow them."
        )
    if len(counts) > 1 and counts.iloc[0] > len(images) / 2:
        notes.append(
            f"{counts.iloc[0]} of {len(images)} images are from source {counts.index[0]}, which dominates the means."
        )
    seeds = pd.DataFrame([(run.variant, run.fold, run.seed) for run in runs], columns=["variant", "fold", "seed"])
    single = seeds.groupby("variant").filter(lambda rows: len(rows) == rows["fold"].nunique())["variant"].unique()
    if len(single):
        notes.append(f"Only one seed, so the spread between seeds is unknown: {', '.join(single)}.")
    return notes


def _log(output_dir: Path, runs: Sequence[EvaluatedRun], files: Mapping[str, Sequence[Path]]) -> None:
    """Keep the report with the parent run, where all trainings were started as one experiment."""
    parents = {run.stored.tags[PARENT]: run.stored.store for run in runs if PARENT in run.stored.tags}
    if len(parents) != 1:
        return
    ((parent, store),) = parents.items()
    outbox = Outbox(output_dir, store.tracking_uri, parent)
    for folder, paths in files.items():
        for path in paths:
            outbox.send_file(path, folder)
