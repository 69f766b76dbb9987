"""A training of an experiment as a task of a worker: a process of its own, which ends with the worker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass

from pipeline.cluster.tasks import own_gpu
from pipeline.experiments.record import Run, locked

LOG, LOCK = "log.txt", ".lock"
COMMAND = (sys.executable, "-W", "ignore", "-m", "pipeline.experiments.one_run")
#: seconds that a training has after an interrupt to mark its MLflow run
GRACE = 60.0
#: how often a training goes on whose process was killed, as for want of memory
_ATTEMPTS = 3
#: of this worker: trainings under way, and commands that were stopped, by their marks
_PROCESSES: dict[str, list[subprocess.Popen[bytes]]] = {}
_STOPPED: set[str] = set()
_LOCK = threading.Lock()


@dataclass(frozen=True)
class TrainingTask:
    """A run to be trained and evaluated.

    Attributes:
        run: with an absolute folder.
        experiment: folder of the experiment, absolute.
        mark: of the command that asks for it, by which a task knows its own predecessor, whose worker died.
        threads: CPU threads; None: as the worker has them.
        command: that trains it.
    """

    run: Run
    experiment: str
    mark: str
    threads: int | None = None
    command: tuple[str, ...] = COMMAND


def run_training(task: TrainingTask) -> int | None:
    """Train and evaluate, or go on with it.

    Returns:
        Exit status of its process, 0 also where it was finished already; None: another process is at it, or the
        command was stopped.

    Raises:
        UserError: the folder was begun with other settings.
    """
    with ExitStack() as held:
        descriptor = _own_lock(task, held)
        if descriptor is None or task.mark in _STOPPED:
            return None
        run = task.run.resumed()
        if run.state == "finished":
            return 0
        run.write()
        for attempt in range(_ATTEMPTS):
            status = _wait_for(task, descriptor)
            if status >= 0 or task.mark in _STOPPED or attempt == _ATTEMPTS - 1:
                break
        return status


def stop_trainings(mark: str) -> None:
    """End the trainings of a command on this worker, with time to say how far they are."""
    with _LOCK:
        _STOPPED.add(mark)
        processes = list(_PROCESSES.get(mark, ()))
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _own_lock(task: TrainingTask, held: ExitStack) -> int | None:
    """The lock of the run's folder; the one of a predecessor is waited for, which is about to end."""
    path = task.run.folder / LOCK
    deadline = time.monotonic() + 2 * GRACE
    while True:
        with ExitStack() as tried:
            descriptor = tried.enter_context(locked(path))
            if descriptor is not None:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, task.mark.encode())
                held.push(tried.pop_all())
                return descriptor
        if path.read_text(encoding="utf-8") != task.mark or time.monotonic() > deadline:
            return None
        time.sleep(1)


def _wait_for(task: TrainingTask, descriptor: int) -> int:
    """Exit status of the training's process, which inherits the lock: it lives as long as the run."""
    threads = {} if task.threads is None else dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(task.threads))
    with _LOCK:
        if task.mark in _STOPPED:
            return 0
        with (task.run.folder / LOG).open("ab") as log:
            process = subprocess.Popen(
                [*task.command, "--folder", str(task.run.folder), "--experiment", task.experiment, "--end_with_stdin"],
                stdin=subprocess.PIPE,  # it is closed when this worker ends, however that comes about
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **threads, **_gpu()},
                pass_fds=(descriptor,),
                start_new_session=True,  # Ctrl-C reaches the parent alone, which passes it on once
            )
        _PROCESSES.setdefault(task.mark, []).append(process)
    try:
        return process.wait()
    finally:
        with _LOCK:
            _PROCESSES[task.mark].remove(process)
        if process.stdin is not None:
            process.stdin.close()


def _gpu() -> dict[str, str]:
    """What gives a process a GPU of its own, where there are several."""
    gpus = visible_gpus()
    return {"CUDA_VISIBLE_DEVICES": gpus[own_gpu(len(gpus))]} if len(gpus) > 1 else {}


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them; empty without one."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
