"""`vlsenet compare`: trained and evaluated variants -> which is better, by how much, and whether that is luck."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from pipeline.cli.console import EXIT_STATUS, FINE
from pipeline.cli.messages import own_messages
from pipeline.cli.parser import CommandParser
from pipeline.errors import UserError

ABOUT = "compare evaluated runs of an MLflow store"
_STORE = "mlflow.db"
_EXAMPLES = f"""\
Prints the table and the verdicts, and writes report.html and the tables as CSV. STORE is an MLflow store's address, an
{_STORE}, or a folder that holds one. A run is compared when its evaluation is among its artifacts: those of
vlsenet experiment are.

examples:
  vlsenet compare runs/ablation --experiment ablation --output_dir runs/ablation/comparison

  # against another variant, by another score
  vlsenet compare http://localhost:5000 --experiment ablation --baseline vlsenet --metric porosity_error \\
      --output_dir comparison

{EXIT_STATUS}"""


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    option = parser.add_argument
    option("store", metavar="STORE", help="sqlite:///FILE.db, a server's address, or a folder of runs")
    option("--output_dir", metavar="DIR", help="folder of report.html and the tables; needed")
    option("--experiment", default=None, metavar="NAME", help="all evaluated runs of this MLflow experiment ...")
    option("--runs", default="", metavar="ID,...", help="... or these runs; a parent run's id stands for its children")
    option("--baseline", default=None, metavar="VARIANT", help="what the others are compared with (default: unet)")
    option("--metric", default="dice", metavar="SCORE", help="score of the verdicts at the top (default: dice)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare; returns the exit status.

    Raises:
        UserError: no such store, experiment, run, baseline or score; runs that can't be compared.
    """
    if not hasattr(options, "output_dir"):
        options.parser.error("--output_dir is missing: give a folder for the report")
    given = {name: getattr(options, name) for name in ("experiment", "runs", "baseline", "metric")}
    address = store_address(options.store)
    with own_messages():
        return run_comparison(address, options.output_dir, **given)


def run_comparison(
    tracking_uri: str, output_dir: str, *, experiment: str | None, runs: str, baseline: str | None, metric: str
) -> int:
    """Compare runs, and print what was found; returns the exit status.

    Args:
        tracking_uri: MLflow store.
        output_dir: folder of the report.
        experiment: all evaluated runs of this MLflow experiment ...
        runs: ... or those with these ids, between commas.
        baseline: what the others are compared with.
        metric: score of the verdicts at the top.

    Raises:
        UserError: as `compare`.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # or a server that is down takes minutes
    from pipeline.comparison.compare import compare

    run_ids = [name.strip() for name in runs.split(",") if name.strip()]
    compared = compare(tracking_uri, output_dir, experiment, run_ids, baseline, metric)
    print(compared.markdown)
    print(f"report: {compared.report}")
    return FINE


def store_address(store: str) -> str:
    """The address of a store that may be given as a file or folder.

    Raises:
        UserError: neither.
    """
    if "://" in store:
        return store
    path = Path(store)
    file = path / _STORE if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"{store}: there is no {_STORE}; give a folder of runs, sqlite:///FILE.db or a server's address"
        )
    return f"sqlite:///{file}"
