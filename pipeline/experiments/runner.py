"""Runs the trainings of an experiment, each in its own process, and resumes where an earlier call stopped."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import INTERRUPTED
from pipeline.experiments.record import Run, locked

logger = logging.getLogger("vlsenet")

LOG = "log.txt"
COMMAND = (sys.executable, "-W", "ignore", "-m", "pipeline.experiments.one_run")
#: seconds between two looks at the processes
_POLL = 0.2
#: seconds that a training has after an interrupt to mark its MLflow run
_GRACE = 60.0


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them; empty without one."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def least_used(gpus: Iterable[str], taken: Iterable[str]) -> str | None:
    """The GPU with the fewest runs under way, the first of several, given that of each run; None without GPUs."""
    busy = list(taken)
    return min(gpus, key=busy.count, default=None)


class TimeLeft:
    """Knows how long finished runs took, by variant."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def note(self, run: Run, wall: float = 0.0) -> None:
        """Take in a finished run, whose process took `wall` seconds just now; 0 for one of an earlier call."""
        if run.training_seconds is not None and run.evaluation_seconds is not None:
            seconds = max(wall, run.training_seconds + run.evaluation_seconds)  # it may have had several parts
            self._seconds.setdefault(run.variant, []).append(seconds)

    def estimate(self, waiting: Iterable[str], under_way: Iterable[tuple[str, float]], jobs: int) -> str:
        """The time left, for the log; empty where nothing is left, or where nobody knows.

        Args:
            waiting: variants of the runs that wait.
            under_way: variant and seconds so far of those that run, `jobs` at a time.
        """
        left = sum(map(self._expected, waiting))
        left += sum(max(0.0, self._expected(variant) - so_far) for variant, so_far in under_way)
        seconds = left / jobs
        return f", about {duration(seconds)}" if seconds >= 1 else ""

    def _expected(self, variant: str) -> float:
        """Those of the same variant, or of all where it has none yet."""
        known = self._seconds.get(variant) or [value for values in self._seconds.values() for value in values]
        return sum(known) / len(known) if known else 0.0


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, in words."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


@dataclass
class Worker:
    """A process under way, with the lock of the run's folder, to be closed at the end."""

    run: Run
    process: subprocess.Popen[bytes]
    lock: ExitStack
    since: float  # when it was started, by the monotonic clock (s)
    gpu: str | None  # that it was given; None where it may choose


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


class Runner:
    """Runs what is not finished.

    A process of its own for each run frees all memory, and its death costs one run. A lock that the process inherits
    keeps two commands from working on the same run. It leaves ``run.json``,
    ``log.txt``, ``checkpoints/`` and ``evaluation/`` in the run's folder.

    Args:
        runs: in their order.
        output_dir: folder of the experiment, with ``experiment.json``.
        jobs: runs at a time.
        threads: CPU threads of each; None for an equal share of the cores.
        retry_failed: run again what failed before.
        gpus: those to spread the runs over; none of them is set for a run where there is one or none.
        after_each: called after each run.

    Attributes:
        unfinished: names of the runs that were interrupted or are another process's, after `run`.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        output_dir: Path,
        jobs: int = 1,
        threads: int | None = None,
        retry_failed: bool = False,
        gpus: Sequence[str] = (),
        after_each: Callable[[Run], None] = lambda run: None,
    ) -> None:
        self._runs = list(runs)
        self._output_dir = output_dir.absolute()
        self._jobs = jobs
        self._threads = threads or max(1, (os.cpu_count() or 1) // jobs)
        self._retry_failed = retry_failed
        self._gpus = list(gpus) if len(gpus) > 1 else []
        self._after_each = after_each
        self._workers: list[Worker] = []
        self._waiting: list[Run] = []
        self._failed: list[str] = []
        self.unfinished: list[str] = []
        self._time_left = TimeLeft()

    def run(self) -> list[str]:
        """Run everything that is not finished; returns the names of the runs that failed, now or before.

        Raises:
            UserError: a folder holds a run with other settings.
            KeyboardInterrupt: the runs under way were stopped, and go on at the next call.
        """
        for run in self._runs:
            before = run.resumed()
            if before.state == "finished":
                self._time_left.note(before)
            elif before.state == "failed" and not self._retry_failed:
                logger.warning("%s failed before (%s); --retry_failed runs it again", run.name, before.error)
                self._failed.append(run.name)
            else:
                self._waiting.append(run)
        logger.info("%d of %d runs to do", len(self._waiting), len(self._runs))
        with _terminated_as_interrupted():
            try:
                while self._waiting or self._workers:
                    while self._waiting and len(self._workers) < self._jobs:
                        self._start(self._waiting.pop(0))
                    time.sleep(_POLL)
                    for worker in [w for w in self._workers if w.process.poll() is not None]:
                        self._ended(worker)
            except BaseException:  # whatever it is, no training is left behind
                logger.warning("stopping; run the same command again to resume from the last complete epoch")
                stop_workers(self._workers)
                raise
        return self._failed

    def _start(self, run: Run) -> None:
        lock = ExitStack()
        descriptor = lock.enter_context(locked(run.folder / ".lock"))
        if descriptor is None:
            logger.warning("%s is being run by another process: skipped", run.name)
            self.unfinished.append(run.name)
            lock.close()
            return
        run = run.resumed()
        if run.state == "finished":  # by another process, since this one looked
            lock.close()
            return
        run.write()
        gpu = least_used(self._gpus, [worker.gpu for worker in self._workers if worker.gpu is not None])
        # the process inherits the lock: it lives as long as the run, also when this process is killed
        self._workers.append(Worker(run, self._process(run, descriptor, gpu), lock, time.monotonic(), gpu))
        logger.info("%s: started (%s)", run.name, run.folder / LOG)

    def _process(self, run: Run, descriptor: int, gpu: str | None) -> subprocess.Popen[bytes]:
        threads = str(self._threads)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        environment |= {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
        with (run.folder / LOG).open("ab") as log:
            return subprocess.Popen(
                [*COMMAND, "--folder", str(run.folder.absolute()), "--experiment", str(self._output_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=(descriptor,),
                start_new_session=True,  # Ctrl-C reaches the parent alone, which passes it on once
            )

    def _ended(self, worker: Worker) -> None:
        """Log how a run ended."""
        self._workers.remove(worker)
        run, status = worker.run.resumed(), worker.process.returncode
        if run.state in ("running", "interrupted") and status != INTERRUPTED:  # it could not report it
            run.state, run.error = "failed", f"the process ended with status {status}; see {run.folder / LOG}"
            run.training_seconds = None
            run.write()
        worker.lock.close()
        left = len(self._waiting) + len(self._workers)
        now = time.monotonic()
        took = duration(now - worker.since)
        if run.state == "finished":
            self._time_left.note(run, now - worker.since)
            under_way = [(other.run.variant, now - other.since) for other in self._workers]
            rest = self._time_left.estimate([waiting.variant for waiting in self._waiting], under_way, self._jobs)
            logger.info("%s: done in %s; %d left%s", run.name, took, left, rest)
        elif run.state == "failed":
            logger.error("%s: failed after %s: %s", run.name, took, run.error)
            self._failed.append(run.name)
        else:
            logger.warning("%s: %s after %s; the next call resumes it", run.name, run.state, took)
            self.unfinished.append(run.name)
        self._after_each(run)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A ``kill`` stops as Ctrl-C does."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
