"""One training and its evaluation, in a process of its own: ``python -m pipeline.experiments.one_run``."""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch.utils.flop_counter import FlopCounterMode

from pipeline.bundle_files import config_files
from pipeline.errors import INTERRUPTED, UserError, mistake_behind
from pipeline.experiments.parent_run import MlflowExperiment, read_mlflow
from pipeline.experiments.record import Run
from pipeline.memory import peak_memory
from pipeline.networks import build_network, parameter_count
from pipeline.networks.surroundings import no_view
from pipeline.tracking.provenance import code_version, versions
from pipeline.workflows.bundle_workflow import run_config
from pipeline.workflows.checkpoints import read_training
from pipeline.workflows.model_file import read_model_file

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
    width, phases = settings["text_dim"], settings.get("phases", 1)
    asked = (1,) if phases == 1 else (1, phases)
    image = torch.zeros(1, settings.get("in_channels", 1), patch_size, patch_size)
    inputs = (image, torch.ones(*asked, width), torch.ones(*asked, _TEXT_LENGTH, width))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs, view=no_view(image, settings.get("reach")))
    return parameter_count(network), counter.get_total_flops() / 1e9


def main() -> int:
    """Run what ``run.json`` in a folder says; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the run, with run.json")
    parser.add_argument("--experiment", type=Path, required=True, help="folder of the experiment, with experiment.json")
    parser.add_argument("--end_with_stdin", action="store_true", help="end when standard input is closed")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a `kill` stops as Ctrl-C does

    if options.end_with_stdin:
        threading.Thread(target=_wait_for_the_end, daemon=True).start()

    run, experiment = Run.read(options.folder), read_mlflow(options.experiment)
    if run is None or experiment is None:
        raise UserError(f"{options.folder} holds no run.json, or {options.experiment} no experiment.json")
    try:
        begin(run, experiment)
        if run.parameters is None:
            train(run, experiment)
        evaluate(run, experiment)
        status = 0
    except (KeyboardInterrupt, SystemExit):
        run.state, status = "interrupted", INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        run.state, run.error, status = "failed", _message(error), 1
    run.write()
    experiment.end_child(run)
    return status


def _wait_for_the_end() -> None:
    """End in order when the process at the other end of standard input is gone: its task is repeated elsewhere."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def begin(run: Run, experiment: MlflowExperiment) -> None:
    """Note that the run is under way, by which code, and in which run of MLflow."""
    if not (run.folder / "checkpoints" / "last.pt").exists():
        run.code = []
    elif run.state == "running" and run.parameters is None:  # an earlier part of the training ended silently
        run.training_seconds = None
    code = _code()
    run.code += [code] if code not in run.code else []
    run.state, run.error = "running", ""
    run.write()
    run.mlflow_run_id = experiment.start_child(run, versions())
    run.write()


def train(run: Run, experiment: MlflowExperiment) -> None:
    """Train, or go on with it; afterwards the run knows its costs."""
    overrides: dict[str, Any] = {
        **run.training,
        "output_dir": str(run.folder),
        "tracking_uri": experiment.tracking_uri,
        "experiment_name": experiment.experiment_name,
        "run_name": run.name,
        "mlflow_run_id": run.mlflow_run_id,
    }
    epochs_left = _epochs_left(run.folder, overrides)
    if epochs_left != 0:
        before, started = run.training_seconds, time.monotonic()
        try:
            run_config("train", **overrides, **({"resume": True} if epochs_left else {}))
        finally:
            run.peak_memory_bytes = max(run.peak_memory_bytes or 0, peak_memory())
            if before is not None:
                run.training_seconds = before + time.monotonic() - started
    best = read_model_file(str(run.folder / "checkpoints" / "best.pt"))
    patch_size = _setting("patch_size", overrides)
    run.parameters, run.gflops = network_costs(best["network_settings"], patch_size)
    run.write()


def evaluate(run: Run, experiment: MlflowExperiment) -> None:
    """Evaluate the best checkpoint; afterwards the run is ``finished``."""
    started = time.monotonic()
    overrides = {
        **run.evaluation,
        "checkpoint": str(run.folder / "checkpoints" / "best.pt"),
        "output_dir": str(run.folder / "evaluation"),
        "overwrite": True,
        "tracking_uri": experiment.tracking_uri,
        "mlflow_run_id": run.mlflow_run_id,
    }
    run_config("evaluate", **overrides)
    run.evaluation_seconds = time.monotonic() - started
    run.state = "finished"
    experiment.log_costs(run)


def _epochs_left(folder: Path, overrides: dict[str, Any]) -> int | None:
    """Epochs that an earlier part left to do; None where there is nothing to go on from."""
    last = folder / "checkpoints" / "last.pt"
    if not last.exists():
        return None
    training = read_training(last, f"remove {folder} to train it again")
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


if __name__ == "__main__":
    sys.exit(main())
