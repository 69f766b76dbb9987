"""An experiment from its plan to its report; its folds are made once, the same for all variants and later calls."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.cluster import Pool
from pipeline.data import DatasetIndex, index_datasets
from pipeline.data.fingerprints import changes, hash_of
from pipeline.data.folds import Fold, k_folds, leave_out_folds, source_sizes
from pipeline.data.split_file import told_in, write_split_csv
from pipeline.data.splits import SPLIT_FILE
from pipeline.errors import UserError
from pipeline.experiments.plan import DATA_OPTIONS, FoldPlan, Plan, RunFold
from pipeline.experiments.plan_file import check_runs, read_plan
from pipeline.experiments.record import TABLE_FILE, Run, write_run_table
from pipeline.experiments.runner import Runner
from pipeline.files import write_text
from pipeline.options import options_of
from pipeline.tracking.stores import COMPARISON_FOLDER
from pipeline.wording import some_of

logger = logging.getLogger("vlsenet")

PLAN_FILE = "plan.yaml"
FOLDS_FILE = "folds.json"


@dataclass(frozen=True)
class Outcome:
    """How an experiment ended.

    Attributes:
        failed: names of the runs that failed.
        unfinished: names of the runs that were interrupted, or that another process has begun.
        report: the comparison's ``report.html``; None where there is nothing to compare yet.
        markdown: its table and verdicts.
    """

    failed: list[str]
    unfinished: list[str]
    report: Path | None
    markdown: str


def run_experiment(
    plan: Plan,
    output_dir: Path,
    *,
    only: Sequence[str] = (),
    seeds: Sequence[int] = (),
    pool: Pool = Pool(),  # noqa: B008 - immutable
    threads: int | None = None,
    retry_failed: bool = False,
    tracking_uri: str | None = None,
    experiment_name: str | None = None,
) -> Outcome:
    """Run what is not finished, and compare the variants.

    ``output_dir`` then holds ``plan.yaml``, ``folds.json``, ``folds/``, ``runs.csv``, ``comparison/`` and a folder for
    each run.

    Args:
        plan: with ``dataset_dir`` among its common options.
        output_dir: folder of the experiment.
        only: names of the variants to run; empty for all.
        seeds: in place of the plan's.
        pool: what works on the runs; by default one after the other.
        threads: CPU threads of each run; None for its share of the cores, or as the workers of a cluster have them.
        retry_failed: run again what failed before.
        tracking_uri: MLflow store; None for ``mlflow.db`` in the folder.
        experiment_name: MLflow experiment; None for the folder's name.

    Raises:
        UserError: the plan, the data or the store don't allow it.
        KeyboardInterrupt: the current runs were stopped; the same call resumes.
    """
    if "dataset_dir" not in plan.common:
        raise UserError("--dataset_dir is missing: give the folder with images/ and labels/")
    if threads is not None and threads < 1:
        raise UserError(f"--threads {threads}: give 1 or more")
    options_of("train")["output_dir"].check(output_dir)
    plan.runs(output_dir, only=only)  # a wrong name is reported before the data are read
    for difference in plan.unequal():
        logger.warning("the variants are not treated equally: %s", difference)
    folds = prepare_folds(plan.folds, plan.common, output_dir, plan.asks_sentences)
    runs = plan.runs(output_dir, folds, only, seeds)
    if unfinished := [run for run in runs if run.resumed().state != "finished"]:
        check_runs(unfinished)
    write_text(output_dir / PLAN_FILE, yaml.safe_dump(plan.content(), sort_keys=False))

    from pipeline.experiments.parent_run import open_mlflow
    from pipeline.tracking.outbox import send_unsent

    files = [output_dir / PLAN_FILE, output_dir / FOLDS_FILE]
    experiment = open_mlflow(output_dir, tracking_uri, experiment_name, plan.baseline, files)
    send_unsent(output_dir)  # what an earlier call kept of its trainings

    def after_each(run: Run) -> None:
        if run.state == "failed":  # a process that died could not report it
            experiment.end_child(run)
            run.write()
        write_run_table(output_dir)

    runner = Runner(runs, output_dir, pool, threads, retry_failed, after_each)
    status = "FAILED"
    try:
        failed = runner.run()
        status = "FAILED" if failed else "KILLED" if runner.unfinished else "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        experiment.finish(status)
    write_run_table(output_dir)
    try:
        send_unsent(output_dir)
        return report_experiment(output_dir, failed, runner.unfinished)
    except UserError as error:  # the trainings are done, and their table is there
        logger.warning("no report: %s", error)
        return Outcome(failed, runner.unfinished, None, "")


def report_experiment(output_dir: Path, failed: Sequence[str] = (), unfinished: Sequence[str] = ()) -> Outcome:
    """Compare the variants of what was run so far, in ``output_dir/comparison`` and in the parent run of MLflow.

    The names of runs that failed or are not finished are handed on to the outcome.

    Raises:
        UserError: nothing was run there, or nothing that can be compared.
    """
    from pipeline.comparison.compare import compare
    from pipeline.experiments.parent_run import read_mlflow

    experiment = read_mlflow(output_dir)
    if experiment is None:
        raise UserError(f"{output_dir} holds no experiment: run one first")
    compared = compare(
        experiment.tracking_uri,
        output_dir / COMPARISON_FOLDER,
        experiment.experiment_name,
        [experiment.parent_run_id],
        read_plan(output_dir / PLAN_FILE).baseline,
    )
    logger.info("runs: %s", output_dir / TABLE_FILE)
    return Outcome(list(failed), list(unfinished), compared.report, compared.markdown)


def prepare_folds(
    plan: FoldPlan, common: Mapping[str, Any], output_dir: Path, sentences: bool = False
) -> list[RunFold]:
    """Divide the data set, or check that it is the one that was divided before.

    Writes ``folds.json`` (which source is in which fold, the data's fingerprints) and ``folds/NAME.csv`` into the
    experiment's folder; `common` are the options of all variants, with the data set; `sentences`: whether any run asks
    the images' own sentences.

    Raises:
        UserError: a data set that can't be used or divided; data or folds that differ from those of an earlier call.
    """
    data = {name: common[name] for name in DATA_OPTIONS if name in common}
    if data.get("group_pattern") is not None:  # a command line makes numbers of digits
        data["group_pattern"] = str(data["group_pattern"])
    given = data.pop("dataset_dir")
    folders = [str(folder) for folder in given] if isinstance(given, (list, tuple)) else [str(given)]
    if len(folders) > 1 and plan.kind != "split":
        raise UserError(f"folds of several data sets ({some_of(folders)}): give --folds split: each has its own split")
    index = index_datasets(folders, divide=plan.kind == "split", **data)
    if plan.kind != "split" and len(of_one := {sample.source for sample in index.samples}) == 1:
        raise UserError(
            f"{index.place}: all images are of one micrograph ({of_one.pop()}), and what folds test on is another one: "
            "give --folds split, which validates on a part of the same micrograph, or add images of others"
        )
    divided = [(fold, fold.divide(index)) for fold in _divide(plan, index)] if plan.kind != "split" else []
    folds = [
        RunFold(
            fold.name,
            (output_dir / "folds" / f"{fold.name}.csv").absolute(),
            index_of_fold.fingerprint()["hash"],
            "test" if plan.validation else "val",
        )
        for fold, index_of_fold in divided
    ] or [RunFold(fingerprint=index.fingerprint()["hash"])]
    content = {
        "folds": asdict(plan) | {"sources": list(plan.sources)},
        "data": _content(index),
        "divisions": [_described(fold, part) for fold, part in divided] or [_own_split(index)],
    }
    _keep(content, output_dir / FOLDS_FILE, sentences)
    told = told_in(
        Path(data.get("split_csv") or index.roots[0] / SPLIT_FILE), {sample.name for sample in index.samples}
    )
    for fold, (_, part) in zip(folds, divided, strict=False):
        if fold.split_csv is not None:
            write_split_csv(fold.split_csv, (sample.split_row for sample in part.samples), told)
    if divided and not plan.validation:
        logger.warning("the tested images also choose epoch and threshold (validation: 0), which flatters all variants")
    return folds


def _divide(plan: FoldPlan, index: DatasetIndex) -> list[Fold]:
    sizes = source_sizes(index)
    try:
        if plan.kind == "k":
            return k_folds(sizes, plan.k, plan.validation, plan.seed)
        return leave_out_folds(sizes, plan.sources, plan.validation, plan.seed)
    except UserError as error:
        raise UserError(f"{index.place}: folds: {error}") from error


def _described(fold: Fold, index: DatasetIndex) -> dict[str, Any]:
    return {"name": fold.name, "tested": list(fold.tested), **_own_split(index)}


def _own_split(index: DatasetIndex) -> dict[str, Any]:
    sources: dict[str, list[str]] = {}
    for sample in index.samples:
        members = sources.setdefault(sample.split, [])
        if sample.source not in members:
            members.append(sample.source)
    return {"sources": sources, "data_fingerprint": index.fingerprint()["hash"]}


def _content(index: DatasetIndex) -> dict[str, Any]:
    """The fingerprint of images and labels alone, however they are divided."""
    return Fold("all", (), {sample.source: "test" for sample in index.samples}).divide(index).fingerprint()


def _keep(content: dict[str, Any], path: Path, sentences: bool) -> None:
    try:
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else content
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read ({error}); choose another --output_dir") from error
    for what, differs in {
        "images or labels": _other_data(before.get("data"), content["data"], sentences),
        "folds": before.get("folds") != content["folds"],
        "sources or splits": _divided(before) != _divided(content),
    }.items():
        if differs:
            which = f"{differs}; see" if isinstance(differs, str) else "see"
            raise UserError(
                f"{path.parent} was started with other {what} ({which} {path}), so its results would not be "
                "comparable: restore them, or choose another --output_dir"
            )
    write_text(path, json.dumps(content, indent=2))


def _other_data(then: Any, now: Mapping[str, Any], sentences: bool) -> str | bool:
    """Whether the data are other ones, and if that is known, which of them."""
    if isinstance(then, Mapping):
        return changes(then, now, sentences)
    return then != hash_of(now, sentences=True)  # which is all that versions up to 0.2.0 kept


def _divided(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Which source is where; the data themselves are compared on their own."""
    divisions = content.get("divisions") or []
    return [{name: value for name, value in part.items() if name != "data_fingerprint"} for part in divisions]
