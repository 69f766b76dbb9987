"""Is every variant a training that can be run? Told before the first one starts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from pipeline.configs import config_files
from pipeline.errors import UserError
from pipeline.experiments.plan import Run


def check_runs(runs: Sequence[Run]) -> None:
    """Check the options of each variant, in a process of its own, which may import MONAI.

    Raises:
        UserError: everything that is wrong, a line each.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(find_mistakes, list(runs)).result()


def find_mistakes(runs: Sequence[Run]) -> None:
    """What :func:`check_runs` does, in this process."""
    problems = []
    for run in {run.variant: run for run in runs}.values():
        for command, overrides in (("train", run.training), ("evaluate", run.evaluation)):
            try:
                _check_options(command, {**overrides, "output_dir": str(run.folder)})
            except UserError as error:
                problems += [f"variant {run.variant}: {line}" for line in str(error).splitlines()]
    if problems:
        raise UserError("\n".join(problems))


def _check_options(command: str, overrides: dict[str, Any]) -> None:
    from monai.bundle import ConfigParser

    from pipeline.workflows.bundle_command import BundleCommand
    from pipeline.workflows.options import check_options

    files = tuple(config_files(command))
    parser = ConfigParser()
    parser.read_config(list(files))
    BundleCommand(files, overrides, {}, is_run=True).check_overrides()
    parser.update(overrides)
    if command == "train":  # an evaluation asks for a checkpoint that is still to come
        check_options(command, parser.get())
