"""One training and its evaluation, in a process of its own: ``python -m pipeline.experiments.one_run``.

The runner starts it. It goes on from where an earlier part stopped.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from pipeline.errors import UserError, mistake_behind
from pipeline.experiments.record import Record
from pipeline.experiments.runner import INTERRUPTED


def main() -> int:
    """Run what ``run.json`` in a folder says; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the run, with run.json")
    parser.add_argument("--configs", type=Path, required=True, help="folder of the bundle's configs")
    parser.add_argument("--tracking_uri", required=True, help="MLflow store of the experiment")
    parser.add_argument("--experiment_name", required=True, help="MLflow experiment")
    options = parser.parse_args()
    del sys.argv[1:]  # the bundle's commands look there for what a user typed
    signal.signal(signal.SIGTERM, _interrupt)

    folder = options.folder
    record = Record.read(folder)
    if record is None:
        raise UserError(f"{folder} holds no run.json")
    try:
        if record.parameters is None:
            train(record, folder, options)
        evaluate(record, folder, options)
    except (KeyboardInterrupt, SystemExit):
        record.state = "interrupted"
        record.write(folder)
        return INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        record.state, record.error = "failed", _told(error)
        record.write(folder)
        return 1
    return 0


def train(record: Record, folder: Path, options: argparse.Namespace) -> None:
    """Train, or go on with it; afterwards the record knows the parameters."""
    went_silently = record.state == "running" and (folder / "checkpoints" / "last.pt").exists()
    record.state, record.error, record.code = "running", "", _code(options.configs)
    if went_silently:
        record.training_seconds = None
    record.write(folder)
    overrides = {
        **record.training,
        "output_dir": str(folder),
        "tracking_uri": options.tracking_uri,
        "experiment_name": options.experiment_name,
        "run_name": f"{record.variant} seed {record.seed}",
        "mlflow_run::tags": f"$dict(pipeline.workflows.versions(), variant='{record.variant}', seed='{record.seed}')",
    }
    epochs_left = _epochs_left(folder, overrides, options.configs)
    if epochs_left != 0:
        _prepare_store(options)
        before, started = record.training_seconds, time.monotonic()
        try:
            _bundle("train", overrides | ({"resume": True} if epochs_left else {}), options.configs)
        finally:
            if before is not None:
                record.training_seconds = before + time.monotonic() - started
    record.parameters = _parameters(folder / "checkpoints" / "best.pt")
    record.write(folder)


def evaluate(record: Record, folder: Path, options: argparse.Namespace) -> None:
    """Evaluate the best checkpoint; afterwards the record says ``finished``."""
    overrides = {
        **record.evaluation,
        "checkpoint": str(folder / "checkpoints" / "best.pt"),
        "output_dir": str(folder / "evaluation"),
        "overwrite": True,
        "tracking_uri": options.tracking_uri,
        "mlflow_run_id": _mlflow_run(folder),
    }
    started = time.monotonic()
    _bundle("evaluate", overrides, options.configs)
    record.evaluation_seconds = time.monotonic() - started
    record.state = "finished"
    record.write(folder)


def _bundle(command: str, overrides: dict[str, Any], configs: Path) -> None:
    import monai.bundle

    files = [str(configs / "common.yaml"), str(configs / f"{command}.yaml")]
    try:
        monai.bundle.run(config_file=files, **overrides)
    except SystemExit as end:  # also after a command that had to start itself again
        if end.code:
            raise


def _mlflow_run(folder: Path) -> str:
    """The run of the training, to which its evaluation belongs."""
    import torch

    last = torch.load(folder / "checkpoints" / "last.pt", map_location="cpu", weights_only=True)
    return str(last["training"]["state"]["mlflow_run"]["run_id"])


def _epochs_left(folder: Path, overrides: dict[str, Any], configs: Path) -> int | None:
    """Epochs that an earlier part left to do; None where there is nothing to go on from."""
    import torch
    from monai.bundle import ConfigParser

    last = folder / "checkpoints" / "last.pt"
    if not last.exists():
        return None
    declared = ConfigParser.load_config_files([str(configs / "train.yaml")])
    epoch = torch.load(last, map_location="cpu", weights_only=True)["training"]["epoch"]
    return max(0, overrides.get("max_epochs", declared["max_epochs"]) - epoch)


def _code(configs: Path) -> str:
    """Version of the code and of the configs: runs that differ in it are not alike."""
    from pipeline.workflows.provenance import code_version

    content = b"".join((configs / name).read_bytes() for name in ("common.yaml", "train.yaml", "evaluate.yaml"))
    return f"{code_version()}, configs {hashlib.sha256(content).hexdigest()[:8]}"


def _parameters(checkpoint: Path) -> int:
    import torch

    from pipeline.networks import build_network, parameters_of

    settings = torch.load(checkpoint, map_location="cpu", weights_only=True)["network_settings"]
    return parameters_of(lambda: build_network(**settings))


def _prepare_store(options: argparse.Namespace) -> None:
    """Make the store and the experiment, one process at a time: several would get in each other's way."""
    import mlflow

    from pipeline.workflows.tracking import open_experiment

    with (options.folder.parents[1] / ".mlflow.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        open_experiment(mlflow.MlflowClient(options.tracking_uri), options.tracking_uri, options.experiment_name)


def _told(error: BaseException) -> str:
    """A user's mistake by its message, which MONAI wraps in its own errors; others with their kind."""
    mistake = mistake_behind(error)
    if mistake is not None:
        return str(mistake)
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return f"{type(error).__name__}: {error}"


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
