"""Compare the evaluated runs of an MLflow store: tables, verdicts in plain words, and one HTML report."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from pipeline.cli.compare import run_comparison
from pipeline.cli.console import WRONG_USAGE, run_command

EXAMPLES = r"""
The same as vlsenet compare. A run is compared when its evaluation is among its artifacts: vlsenet experiment and
vlsenet evaluate put it there. The tags variant, seed and fold say what it is.

examples:
  python scripts/compare_runs.py --tracking_uri sqlite:///runs/ablation/mlflow.db --experiment ablation \
      --output_dir runs/ablation/comparison

  # against another variant, by another score
  python scripts/compare_runs.py --tracking_uri http://localhost:5000 --experiment ablation \
      --baseline vlsenet --metric porosity_error --output_dir comparison

exit status: 0 done, 2 a mistake in the options or the runs
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--tracking_uri", required=True, metavar="URI", nargs="+", help="sqlite:///FILE.db or a server's address")
    add("--experiment", metavar="NAME", help="MLflow experiment (default: the one with evaluated runs)")
    add("--runs", default="", metavar="ID,...", help="these runs only; a parent run's id stands for its children")
    add("--split", metavar="NAME", help="evaluations of this part of the data, such as test")
    add("--baseline", metavar="VARIANT", help="what the others are compared with (default: unet)")
    add("--metric", default="dice", metavar="SCORE", help="score of the verdicts at the top (default: dice)")
    add("--output_dir", required=True, metavar="DIR", help="folder of report.html and the tables")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M")
    return run_command(
        lambda: run_comparison(
            options.tracking_uri,
            options.output_dir,
            experiment=options.experiment,
            runs=options.runs,
            split=options.split,
            baseline=options.baseline,
            metric=options.metric,
        ),
        mistake_status=WRONG_USAGE,
    )


if __name__ == "__main__":
    sys.exit(main())
