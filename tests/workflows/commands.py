"""MONAI's command line in the process of the tests, which has the libraries loaded: a new process takes seconds to."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch

from pipeline.workflows.command_line import run_command_line
from tests.paths import CONFIGS


def words(config: str, *further: Path, **options: object) -> list[str]:
    """What is typed behind `python -m monai.bundle`."""
    files = [str(CONFIGS / "common.yaml"), str(CONFIGS / f"{config}.yaml"), *map(str, further)]
    line = ["run", "--config_file", str(files)]
    for name, value in options.items():
        line += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return line


def bundle(folder: Path, config: str, *further: Path, status: int = 0, **options: object) -> str:
    """Run a command from ``folder``, with one thread, so that numbers repeat to the bit.

    Returns:
        What it says on stderr; that it ends with `status` is asserted.
    """
    threads, told = torch.get_num_threads(), io.StringIO()
    torch.set_num_threads(1)
    try:
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(told):
            patch.chdir(folder)
            assert run_command_line(words(config, *further, **options)) == status, told.getvalue()[-3000:]
    finally:
        torch.set_num_threads(threads)
    return told.getvalue()


def started(folder: Path, line: Sequence[str], told: Path, environment: Mapping[str, str] | None = None) -> BaseProcess:
    """Run a command from ``folder`` in a process of its own, with one thread; what it says goes into the file ``told``.

    It is forked, as a new one would load the libraries again.
    """

    def work() -> None:
        os.chdir(folder)
        os.environ.update(environment or {})
        torch.set_num_threads(1)  # OpenMP's other threads are not there after a fork
        with told.open("w", buffering=1) as file:
            sys.stdout = sys.stderr = file
            raise SystemExit(run_command_line(line))

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def ended(process: BaseProcess, seconds: float = 300) -> int | None:
    """The exit status of a process; None if it had to be killed."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        return None
    return process.exitcode
