"""An experiment from its plan to its report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipeline.errors import UserError
from pipeline.experiments.fold_files import FILE as FOLDS_FILE
from pipeline.experiments.fold_files import prepare_folds
from pipeline.experiments.plan import Plan
from pipeline.experiments.plan_file import check_runs, read_plan
from pipeline.experiments.record import TABLE_FILE, Run, write_run_table
from pipeline.experiments.runner import Runner, visible_gpus
from pipeline.files import write_text
from pipeline.options import options_of
from pipeline.tracking.stores import COMPARISON_FOLDER

logger = logging.getLogger("vlsenet")

PLAN_FILE = "plan.yaml"


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
    jobs: int = 1,
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
        jobs: runs at a time.
        threads: CPU threads of each run; None for its share of the cores.
        retry_failed: run again what failed before.
        tracking_uri: MLflow store; None for ``mlflow.db`` in the folder.
        experiment_name: MLflow experiment; None for the folder's name.

    Raises:
        UserError: the plan, the data or the store don't allow it.
        KeyboardInterrupt: the current runs were stopped; the same call resumes.
    """
    if "dataset_dir" not in plan.common:
        raise UserError("--dataset_dir is missing: give the folder with images/ and labels/")
    if jobs < 1 or (threads is not None and threads < 1):
        raise UserError(f"--jobs {jobs} --threads {threads}: give 1 or more")
    options_of("train")["output_dir"].check(output_dir)
    plan.runs(output_dir, only=only)  # a wrong name is reported before the data are read
    for difference in plan.unequal():
        logger.warning("the variants are not treated equally: %s", difference)
    folds = prepare_folds(plan.folds, plan.common, output_dir)
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

    runner = Runner(runs, output_dir, jobs, threads, retry_failed, visible_gpus(), after_each)
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
