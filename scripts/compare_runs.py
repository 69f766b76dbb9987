"""Compare the evaluated runs of an MLflow store: tables, verdicts in plain words, and one HTML report."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = r"""
A run is compared when its evaluation is among its artifacts. Those of an experiment are, and any other is with
evaluate.yaml --tracking_uri URI --mlflow_run_id ID --tags::variant NAME; the tags variant, seed and fold say what
it is.

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
    add("--tracking_uri", required=True, metavar="URI", help="MLflow store: sqlite:///FILE.db or a server's address")
    add("--experiment", metavar="NAME", help="all evaluated runs of this MLflow experiment")
    add("--runs", default="", metavar="ID,...", help="these runs only; a parent run's id stands for its children")
    add("--baseline", metavar="VARIANT", help="what the others are compared with (default: unet)")
    add("--metric", default="dice", metavar="SCORE", help="score of the verdicts at the top (default: dice)")
    add("--output_dir", type=Path, required=True, metavar="DIR", help="folder of report.html and the tables")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # or a server that is down takes minutes
    from pipeline.comparison.compare import compare
    from pipeline.errors import UserError

    try:
        compared = compare(
            options.tracking_uri,
            options.output_dir,
            options.experiment,
            [run_id.strip() for run_id in options.runs.split(",") if run_id.strip()],
            options.baseline,
            options.metric,
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(compared.markdown)
    print(f"report: {compared.report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
