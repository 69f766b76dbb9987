"""A training run again from what MLflow keeps of it: do the numbers agree?

It rests on the run's resolved config, not on today's defaults, and on the logged list of files (`repeated_data`).
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import pipeline
from pipeline.bundle_files import config_files, text_in_config
from pipeline.errors import UserError
from pipeline.experiments.finished_training import (
    Agreement,
    FinishedTraining,
    compare_histories,
    read_histories,
    read_training,
)
from pipeline.experiments.repeated_data import RepeatedData
from pipeline.files import write_text
from pipeline.options import default, lacking_options, options_of
from pipeline.tracking.addresses import kept_address
from pipeline.tracking.outbox import unsent_messages
from pipeline.tracking.provenance import environment, versions
from pipeline.tracking.stores import RERUNS, Store
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.wording import some_of

logger = logging.getLogger("vlsenet")


def changes(then: Mapping[str, Any]) -> list[str]:
    """What is not as it was, of code, packages and machine; a line each."""
    now = environment("cpu")
    lines = [
        f"{name} was {then['versions'][name]}, now {version}"
        for name, version in now["versions"].items()
        if name in then["versions"] and then["versions"][name] != version
    ]
    packages = then.get("packages", {})
    others = [name for name in packages.keys() & now["packages"].keys() if packages[name] != now["packages"][name]]
    others += packages.keys() ^ now["packages"].keys() if packages else []
    others = sorted(set(others) - set(then["versions"]))
    if others:
        lines.append(f"{len(others)} other packages differ: {', '.join(others[:8])}{' ...' if len(others) > 8 else ''}")
    return lines + [
        f"{name} was {then[name]}, now {now[name]}"
        for name in ("platform", "processor")
        if name in then and then[name] != now[name]
    ]


@dataclass(frozen=True)
class Rerun:
    """How it ended: the new run in MLflow, what was not as it was then, and whether the numbers agree."""

    run_id: str
    warnings: list[str]
    agreement: Agreement


def rerun(
    run_id: str,
    tracking_uri: str,
    output_dir: Path,
    dataset_dir: str | Sequence[str] | None = None,
    tolerance: float = default("rerun", "tolerance"),
) -> Rerun:
    """Train again, evaluate again where the run was evaluated on the same data set, and compare all metrics.

    The new run goes into the same store, into the experiment ``NAME reruns``; ``rerun.json`` says how it ended.

    Args:
        run_id: of a finished training, or its name where that is the only one.
        tracking_uri: MLflow store that holds it.
        output_dir: a new folder.
        dataset_dir: where the data set is now, or each of several; None for where they were.
        tolerance: largest difference of a metric that is taken as agreement.

    Raises:
        UserError: a run that can't be repeated, other data, a folder that is in use, or a training that failed.
    """
    options_of("rerun")["output_dir"].check(output_dir)
    if output_dir.is_dir() and any(output_dir.iterdir()):
        raise UserError(f"--output_dir {output_dir} is not empty: give a new folder")
    store = Store(tracking_uri)
    first = read_training(store, run_id)
    _check_version(first)
    found = RepeatedData.of(first, [dataset_dir] if isinstance(dataset_dir, str) else dataset_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    data = found.options(found.write_splits(output_dir))
    warnings = changes(first.environment)
    for warning in warnings:
        logger.warning("%s", warning)

    tags = {**versions(), "rerun_of": first.run_id, "data_fingerprint": first.data["hash"]}
    run = TrackedRun(tracking_uri, first.experiment_name + RERUNS, f"{first.name} again", str(output_dir), {}, tags)
    run.start({})
    made = str(run.run_id)
    data |= {"tracking_uri": kept_address(tracking_uri), "overwrite": False}
    config = {**first.config, **data, "output_dir": text_in_config(str(output_dir)), "resume": False}
    # the store is given; what else a config says of it may call a function that has moved since
    config["mlflow_run"] = {**config["mlflow_run"], "run_id": made, "default_uri": None}
    _run("train", config, first, output_dir)
    if first.evaluation is not None:
        checkpoint = text_in_config(str(output_dir / "checkpoints" / "best.pt"))
        places = {
            "checkpoint": checkpoint,
            "output_dir": text_in_config(str(output_dir / "evaluation")),
            "mlflow_run_id": made,
        }
        _run("evaluate", {**first.evaluation, **data, **places}, first, output_dir)
    before = {name: values for name, values in first.histories.items() if _is_repeated(name, first)}
    again = store.find(made)
    if again is None or unsent_messages(output_dir):
        raise UserError(
            f"{kept_address(tracking_uri)} did not accept all of the new run, so there is nothing to compare: "
            f"vlsenet send {output_dir} sends it"
        )
    result = Rerun(again.run_id, warnings, compare_histories(before, read_histories(again), tolerance))
    run.set_tags({"rerun_agrees": str(result.agreement.agrees).lower()})
    _write(result, first, output_dir / "rerun.json")
    return result


def _check_version(first: FinishedTraining) -> None:
    """Refuse a run whose settings lack what this version asks.

    Raises:
        UserError: naming the settings and the version that made it.
    """
    for command, config in (("train", first.config), ("evaluate", first.evaluation)):
        # where the data and results are is given anew
        lacking = [name for name in lacking_options(command, config or {}) if name not in ("dataset_dir", "output_dir")]
        if config is not None and lacking:
            raise UserError(
                f"the run {first.name} was made by {_made_by(first)}, which had no {some_of(lacking)}; this is vlsenet "
                f"{pipeline.__version__}, which would do other things there: repeat it with that version"
            )


def _made_by(first: FinishedTraining) -> str:
    return f"vlsenet {first.environment.get('versions', {}).get('vlsenet', 'of another version')}"


def _run(command: str, config: Mapping[str, Any], first: FinishedTraining, output_dir: Path) -> None:
    """Run a config in a process of its own, with as many threads as the first run had: sums depend on it."""
    threads = first.environment.get("threads")
    path = output_dir / "configs" / f"{command}.yaml"
    write_text(path, yaml.safe_dump(dict(config), sort_keys=False))
    chosen = {} if threads is None else {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    files = str([config_files(command)[0], str(path)])
    line = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run"]
    line += ["--config_file", files, "--logging_file", "False"]
    status = subprocess.run(line, env={**os.environ, **chosen}).returncode
    if status:
        now = f"vlsenet {versions()['vlsenet']}"
        other = f"; the run was made by {_made_by(first)}, this is {now}" if _made_by(first) != now else ""
        raise UserError(
            f"{command} ended with status {status}; see the messages above, and {path} for its settings{other}"
        )


def _is_repeated(metric: str, first: FinishedTraining) -> bool:
    """Costs are added by experiments; scores may be those of another data set."""
    if metric.rpartition("/")[2].startswith("evaluation_"):  # of all phases, or of one
        return first.evaluation is not None
    return metric not in ("parameters", "gflops")


def _write(result: Rerun, first: FinishedTraining, path: Path) -> None:
    agreement = result.agreement
    content = {
        "rerun_of": first.run_id,
        "run_id": result.run_id,
        "identical": agreement.identical,
        "agrees": agreement.agrees,
        "tolerance": agreement.tolerance,
        "values": agreement.values,
        "differences": [str(difference) for difference in agreement.differences],
        "missing": list(agreement.missing),
        "warnings": result.warnings,
    }
    write_text(path, json.dumps(content, indent=2))
