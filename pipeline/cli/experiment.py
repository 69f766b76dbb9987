"""`vlsenet experiment`: variants x folds x seeds from one YAML file, and the report that compares them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from pipeline.cli.console import own_messages
from pipeline.cli.overrides import dataset_options, parse_assignments
from pipeline.cli.parser import Command
from pipeline.cluster import Pool
from pipeline.errors import MISTAKE, SUCCESS
from pipeline.options import options_of


def run(options: argparse.Namespace) -> int:
    """Run the experiment, or write its report; returns the exit status, 1 when runs failed or are not finished.

    Raises:
        UserError: a problem with the options, the plan, the data or the store.
    """
    from pipeline.experiments import FoldPlan, check_seeds, read_plan, report_experiment, run_experiment

    options_of("experiment")["output_dir"].check(options.output_dir)
    output_dir = Path(options.output_dir)
    with own_messages():
        if options.report:
            outcome = report_experiment(output_dir)
        else:
            given = dict(parse_assignments(options.set, "train"))
            given |= dataset_options(options)
            if hasattr(options, "dataset_dir"):
                folders = [str(Path(folder).absolute()) for folder in options.dataset_dir]
                given["dataset_dir"] = folders if len(folders) > 1 else folders[0]
            seeds = (
                check_seeds("--seeds", [int(seed) if seed.isdecimal() else seed for seed in options.seeds])
                if options.seeds
                else ()
            )
            plan = read_plan(options.plan).with_common(given)
            if options.folds is not None:
                plan = replace(plan, folds=FoldPlan.read("--folds", options.folds))
            outcome = run_experiment(
                plan,
                output_dir,
                only=options.only,
                seeds=seeds,
                pool=_pool(options),
                threads=options.threads,
                retry_failed=options.retry_failed,
                tracking_uri=options.tracking_uri,
                experiment_name=options.experiment_name,
            )
    print(outcome.markdown)
    if outcome.report is not None:
        print(f"report: {outcome.report}")
    if outcome.failed:
        print(f"failed: {', '.join(outcome.failed)}")
    if outcome.unfinished:
        print(f"not finished: {', '.join(outcome.unfinished)}; run the same command again to resume")
    return MISTAKE if outcome.failed or outcome.unfinished else SUCCESS


def _pool(options: argparse.Namespace) -> Pool:
    names = ("workers", "scheduler", "cluster", "dashboard")
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    if options.jobs is not None:
        given.setdefault("workers", options.jobs)
    return Pool(**given)


COMMAND = Command(
    "train variants on several folds and seeds, and compare them",
    """\
The plan's variants are overrides of train.yaml; scripts/ablation.yaml is an example that explains its entries. All runs
are in one MLflow store (OUTPUT_DIR/mlflow.db), below one parent run. Each has its own folder with log.txt, checkpoints/
and evaluation/; runs.csv is rewritten after each run, and comparison/report.html is written at the end. After an
interrupt the same command resumes, and repeats nothing that is finished.

examples:
  vlsenet experiment scripts/ablation.yaml --dataset_dir nankai --pore_label 2 --output_dir runs/ablation

  # two variants, one seed, a short schedule, two at a time
  vlsenet experiment scripts/ablation.yaml --dataset_dir nankai --pore_label 2 --output_dir runs/short \\
      --only unet,vlsenet --seeds 0 --set max_epochs=5 --workers 2

  # leave out one of two sources at a time; the other sources are used to train and to choose epoch and threshold
  vlsenet experiment scripts/ablation.yaml --dataset_dir nankai --pore_label 2 --output_dir runs/sources \\
      --folds '{leave_out: [11, 13]}' --only unet,vlsenet --seeds 0,1

  # one network for the phases of two data sets, each with its own split
  vlsenet experiment scripts/ablation.yaml --dataset_dir steel coating --output_dir runs/two --only unet,vlsenet

  # only the report of the runs finished so far
  vlsenet experiment scripts/ablation.yaml --output_dir runs/short --report
""",
    run,
    options="experiment",
    arguments=(("plan", "PLAN", "YAML file of variants, seeds and folds"),),
    set_of="train",
    set_example="max_epochs=5, for all variants",
)
