"""`vlsenet compare`: trained and evaluated variants -> which is better, by how much, and whether that is luck."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli.console import own_messages
from pipeline.cli.parser import Command
from pipeline.errors import MISTAKE, SUCCESS, UserError
from pipeline.options import options_of

_STORE = "mlflow.db"


def run(options: argparse.Namespace) -> int:
    """Compare; returns the exit status.

    Raises:
        UserError: a store, experiment, run, baseline or score does not exist, or the runs can't be compared.
    """
    options_of("compare")["output_dir"].check(options.output_dir)
    named = [stores_and_runs(store) for store in options.store]
    addresses = [address for found, _ in named for address in found]
    with own_messages():
        from pipeline.comparison.compare import compare

        runs = options.runs or _runs(named, options.experiment)
        compared = compare(
            addresses,
            options.output_dir,
            options.experiment,
            runs,
            options.baseline,
            options.metric,
            options.split,
        )
    print(compared.markdown)
    print(f"report: {compared.report}")
    if compared.left_out:
        print(f"not compared, as they have no evaluation: {'; '.join(compared.left_out)}", file=sys.stderr)
        return MISTAKE
    return SUCCESS


def store_addresses(store: str) -> list[str]:
    """The addresses of a store that may be given as a file, its folder, or a folder of such folders.

    Raises:
        UserError: none of them.
    """
    if "://" in store:
        return [store]
    path = Path(store)
    files = [path / _STORE] if path.is_dir() else [path]
    if path.is_dir() and not files[0].is_file():
        files = sorted(path.glob(f"*/{_STORE}"))
    if not files or not files[0].is_file():
        raise UserError(f"{store}: no {_STORE} found; give a folder of runs, sqlite:///FILE.db or a server's address")
    from pipeline.tracking.addresses import sqlite_address

    return [sqlite_address(file) for file in files]


def stores_and_runs(place: str) -> tuple[list[str], list[str]]:
    """The addresses of stores, and ids of runs in them, as `store_addresses` takes them.

    Args:
        place: also the folder of a training, or one of such folders, whose stores lie elsewhere.

    Returns:
        The ids are those of the trainings in these folders; none where the whole store is meant.

    Raises:
        UserError: nothing of this is there.
    """
    folder = Path(place)
    if "://" in place or not folder.is_dir() or (folder / _STORE).is_file():
        return store_addresses(place), []
    from pipeline.tracking.training_link import read_training_link

    best = [folder / "checkpoints" / "best.pt", *sorted(folder.glob("*/checkpoints/best.pt"))]
    links = [link for file in best if (link := read_training_link(file)) is not None]
    if not links:
        return store_addresses(place), []
    return list(dict.fromkeys(link.tracking_uri for link in links)), [link.run_id for link in links]


def _runs(named: Sequence[tuple[list[str], list[str]]], experiment: str | None) -> list[str]:
    """Ids of the runs that are meant; none where all runs of all stores are."""
    if not any(runs for _, runs in named):
        return []
    from pipeline.comparison.choice import choose_runs
    from pipeline.tracking.stores import Store

    found: list[str] = []
    for addresses, runs in named:
        found += runs or [run.run_id for run in choose_runs([Store(one) for one in addresses], experiment).runs]
    return list(dict.fromkeys(found))


def store_address(store: str) -> str:
    """The address of one store, given as for `store_addresses`.

    Raises:
        UserError: there is none, or several.
    """
    addresses = store_addresses(store)
    if len(addresses) > 1:
        raise UserError(f"{store} holds several stores; give the folder of one")
    return addresses[0]


COMMAND = Command(
    "compare evaluated runs from MLflow stores",
    f"""\
Prints the table and the verdicts, and writes report.html and the tables as CSV. STORE is the address of an MLflow
store, a file {_STORE}, the folder of a training, a folder that holds a store, or a folder of such folders. Only
evaluated runs are compared: runs of vlsenet experiment already are, and vlsenet evaluate evaluates any other. Where a
run is left out, the exit status is 1.

examples:
  # train and evaluate two networks, each called by its folder's name
  vlsenet train my_rock --output_dir runs/unet --network unet
  vlsenet train my_rock --output_dir runs/mine
  vlsenet evaluate my_rock --checkpoint runs/unet/checkpoints/best.pt --output_dir runs/unet/val
  vlsenet evaluate my_rock --checkpoint runs/mine/checkpoints/best.pt --output_dir runs/mine/val
  vlsenet compare runs/unet runs/mine --output_dir comparison

  # all runs of an experiment, with another baseline and another score
  vlsenet compare http://localhost:5000 --experiment ablation --baseline vlsenet --metric porosity_error \\
      --output_dir comparison

One training of each variant is too few for a verdict: train each with several seeds, and give them the same --variant
when evaluating. vlsenet experiment does all of this from one file.
""",
    run,
    options="compare",
    arguments=(("store", "STORE+", "sqlite:///FILE.db, a server's address, or a folder"),),
)
