"""Train and evaluate the variants of an ablation with several seeds, and keep a table of the results."""

from __future__ import annotations

import argparse
import ast
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = r"""
Any other option is an override of train.yaml for all variants, such as --max_epochs 20 or --preset base.
The table (ablation.md, ablation.csv; runs.csv for single runs) is written anew after each run, and the same command
goes on after an interrupt. Each run has its folder, OUTPUT_DIR/VARIANT/seedK, with log.txt, checkpoints/ and
evaluation/; all are in one MLflow store, OUTPUT_DIR/mlflow.db.

examples:
  python scripts/ablation.py --dataset_dir nankai --pore_label 2 --output_dir runs/ablation

  # two variants, one seed, a short schedule
  python scripts/ablation.py --dataset_dir nankai --pore_label 2 --output_dir runs/short \
      --only unet,vlsenet --seeds 0 --max_epochs 5

exit status: 0 all runs are done, 1 some failed, 2 a mistake in the options, 130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--output_dir", type=Path, required=True, metavar="DIR", help="folder of all results")
    add("--dataset_dir", metavar="DIR", help="folder with images/, labels/ and split.csv")
    add("--plan", type=Path, default=ROOT / "scripts" / "ablation.yaml", metavar="FILE", help="variants (%(default)s)")
    add("--only", default="", metavar="NAME,...", help="run these variants only")
    add("--seeds", default="", metavar="K,...", help="in place of the plan's seeds")
    add("--jobs", type=int, default=1, metavar="N", help="runs at a time (default: 1)")
    add("--threads", type=int, metavar="T", help="CPU threads of each run (default: its share of the cores)")
    add("--retry_failed", action="store_true", help="run again what failed before")
    add("--table_only", action="store_true", help="only write the table of what is there")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options, others = build_parser().parse_known_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M")
    from pipeline.errors import UserError

    try:
        return run(options, others)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130


def run(options: argparse.Namespace, others: Sequence[str]) -> int:
    """Run the ablation, or write its table; returns the exit status.

    Raises:
        UserError: the options or the plan don't allow it.
    """
    from pipeline.errors import UserError
    from pipeline.experiments import Runner, read_plan, write_tables
    from pipeline.experiments.plan import check_seeds

    given = overrides(others)
    if options.dataset_dir is not None:
        given["dataset_dir"] = str(Path(options.dataset_dir).absolute())
    plan = read_plan(options.plan).with_common(given)
    if not options.table_only and "dataset_dir" not in (plan.common or {}):
        raise UserError("--dataset_dir is missing: give the folder with images/, labels/ and split.csv")
    if options.jobs < 1 or (options.threads is not None and options.threads < 1):
        raise UserError(f"--jobs {options.jobs} --threads {options.threads}: give 1 or more")
    seeds = check_seeds("--seeds", [_value(part) for part in options.seeds.split(",")]) if options.seeds else ()
    runs = plan.runs(options.output_dir, [name for name in options.only.split(",") if name], seeds)

    def write() -> str:
        return write_tables(options.output_dir, plan.baseline, list(plan.variants))

    if options.table_only:
        print(write())
        return 0
    failed = Runner(
        runs,
        options.output_dir,
        ROOT / "bundle" / "configs",
        options.jobs,
        options.threads,
        options.retry_failed,
        after_each=write,
    ).run()
    print(write())
    return 1 if failed else 0


def overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Options for the trainings: `--name value`, or `--name` for true.

    Raises:
        UserError: a value without a name.
    """
    from pipeline.errors import UserError

    given: dict[str, Any] = {}
    name = ""
    for argument in arguments:
        if argument.startswith("--"):
            name, _, value = argument[2:].partition("=")
            given[name] = _value(value) if value else True
        elif name:
            given[name], name = _value(argument), ""
        else:
            raise UserError(f"{argument!r} belongs to no option; options are written --name value")
    return given


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "null": None}
    try:
        return words[text.lower()] if text.lower() in words else ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    sys.exit(main())
