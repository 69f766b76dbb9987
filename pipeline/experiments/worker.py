"""The processes of an experiment's runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pipeline.experiments.plan import Run

LOG = "log.txt"
COMMAND = (sys.executable, "-W", "ignore", "-m", "pipeline.experiments.one_run")
#: seconds that a training has after an interrupt to mark its MLflow run
_GRACE = 60.0


@dataclass
class Worker:
    """A process under way.

    Attributes:
        run: what it runs.
        process: the process.
        lock: of the run's folder, to be closed at the end.
        since: when it was started, by the monotonic clock (s).
        gpu: that it was given; None where it may choose.
    """

    run: Run
    process: subprocess.Popen[bytes]
    lock: ExitStack
    since: float
    gpu: str | None


def start_worker(run: Run, experiment: Path, lock: ExitStack, descriptor: int, threads: int, gpu: str | None) -> Worker:
    """Start the process of a run.

    Args:
        run: its folder holds ``run.json``.
        experiment: folder of the experiment, absolute.
        lock: of the run's folder.
        descriptor: the lock's, which the process inherits: it lives as long as the run, also when this one is killed.
        threads: CPU threads.
        gpu: the only one that it shall see; None for all.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    with (run.folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, "--folder", str(run.folder.absolute()), "--experiment", str(experiment)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=(descriptor,),
            start_new_session=True,  # Ctrl-C reaches the parent alone, which passes it on once
        )
    return Worker(run, process, lock, time.monotonic(), gpu)


def stop_workers(workers: Sequence[Worker]) -> None:
    """End processes, with time to say how far they are."""
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + _GRACE
    for worker in workers:
        try:
            worker.process.wait(max(0.1, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            worker.process.kill()
            worker.process.wait()
        worker.lock.close()
