"""One training and its evaluation, in a process of its own: ``python -m pipeline.experiments.one_run``."""

from __future__ import annotations

import argparse
import hashlib
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch.utils.flop_counter import FlopCounterMode

from pipeline.bundle_files import config_files
from pipeline.errors import INTERRUPTED, UserError, mistake_behind
from pipeline.experiments.parent_run import MlflowExperiment, read_mlflow
from pipeline.experiments.record import Record
from pipeline.memory import peak_memory
from pipeline.networks import build_network, parameter_count
from pipeline.tracking.provenance import code_version, versions
from pipeline.workflows.bundle_workflow import run_config

#: tokens of a prompt, as CLIP's tower has them
_TEXT_LENGTH = 77


def network_costs(settings: Mapping[str, Any], patch_size: int) -> tuple[int, float]:
    """Parameters, and billions of floating-point operations of a forward pass.

    PyTorch's counter sees convolutions, products of matrices and attention; a multiplication with its addition counts
    as two. Text is of CLIP's length, whatever the prompts.

    Args:
        settings: of :func:`pipeline.networks.build_network`.
        patch_size: side of the one patch that goes in (px).
    """
    network = build_network(**settings).eval()
    width = settings["text_dim"]
    inputs = (torch.zeros(1, 1, patch_size, patch_size), torch.ones(1, width), torch.ones(1, _TEXT_LENGTH, width))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return parameter_count(network), counter.get_total_flops() / 1e9


def main() -> int:
    """Run what ``run.json`` in a folder says; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the run, with run.json")
    parser.add_argument("--experiment", type=Path, required=True, help="folder of the experiment, with experiment.json")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)

    folder = options.folder
    record, experiment = Record.read(folder), read_mlflow(options.experiment)
    if record is None or experiment is None:
        raise UserError(f"{folder} holds no run.json, or {options.experiment} no experiment.json")
    try:
        begin(record, folder, experiment)
        if record.parameters is None:
            train(record, folder, experiment)
        evaluate(record, folder, experiment)
        status = 0
    except (KeyboardInterrupt, SystemExit):
        record.state, status = "interrupted", INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        record.state, record.error, status = "failed", _message(error), 1
    record.write(folder)
    experiment.end_child(record, folder)
    return status


def begin(record: Record, folder: Path, experiment: MlflowExperiment) -> None:
    """Note that the run is under way, by which code, and in which run of MLflow."""
    last = folder / "checkpoints" / "last.pt"
    if not last.exists():
        record.code = []
    elif record.state == "running" and record.parameters is None:  # an earlier part of the training ended silently
        record.training_seconds = None
    code = _code()
    record.code += [code] if code not in record.code else []
    record.state, record.error = "running", ""
    record.write(folder)
    record.mlflow_run_id = experiment.start_child(record, folder, versions())
    record.write(folder)


def train(record: Record, folder: Path, experiment: MlflowExperiment) -> None:
    """Train, or go on with it; afterwards the record knows the costs."""
    overrides: dict[str, Any] = {
        **record.training,
        "output_dir": str(folder),
        "tracking_uri": experiment.tracking_uri,
        "experiment_name": experiment.experiment_name,
        "run_name": record.name,
        "mlflow_run_id": record.mlflow_run_id,
    }
    epochs_left = _epochs_left(folder, overrides)
    if epochs_left != 0:
        before, started = record.training_seconds, time.monotonic()
        try:
            run_config("train", **overrides, **({"resume": True} if epochs_left else {}))
        finally:
            record.peak_memory_bytes = max(record.peak_memory_bytes or 0, peak_memory())
            if before is not None:
                record.training_seconds = before + time.monotonic() - started
    best = torch.load(folder / "checkpoints" / "best.pt", map_location="cpu", weights_only=True)
    patch_size = _setting("patch_size", overrides)
    record.parameters, record.gflops = network_costs(best["network_settings"], patch_size)
    record.write(folder)


def evaluate(record: Record, folder: Path, experiment: MlflowExperiment) -> None:
    """Evaluate the best checkpoint; afterwards the record says ``finished``."""
    started = time.monotonic()
    overrides = {
        **record.evaluation,
        "checkpoint": str(folder / "checkpoints" / "best.pt"),
        "output_dir": str(folder / "evaluation"),
        "overwrite": True,
        "tracking_uri": experiment.tracking_uri,
        "mlflow_run_id": record.mlflow_run_id,
    }
    run_config("evaluate", **overrides)
    record.evaluation_seconds = time.monotonic() - started
    record.state = "finished"
    experiment.log_costs(record, folder)


def _epochs_left(folder: Path, overrides: dict[str, Any]) -> int | None:
    """Epochs that an earlier part left to do; None where there is nothing to go on from."""
    last = folder / "checkpoints" / "last.pt"
    if not last.exists():
        return None
    training = torch.load(last, map_location="cpu", weights_only=True)["training"]
    if training["state"]["early_stop"]["counter"] >= _setting("early_stop_patience", overrides):
        return 0  # it stopped early
    return int(max(0, _setting("max_epochs", overrides) - training["epoch"]))


def _setting(name: str, overrides: dict[str, Any]) -> int:
    """An option as this run has it."""
    return int(overrides.get(name, ConfigParser.load_config_files(config_files("train"))[name]))


def _code() -> str:
    """Version of the code and of the configs: runs that differ in it are not alike."""
    files = dict.fromkeys([*config_files("train"), *config_files("evaluate")])
    content = b"".join(Path(file).read_bytes() for file in files)
    return f"{code_version()}, configs {hashlib.sha256(content).hexdigest()[:8]}"


def _message(error: BaseException) -> str:
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
