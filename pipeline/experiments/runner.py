"""Runs the trainings of an experiment, each in a process of its own, and goes on where an earlier call stopped."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pipeline.experiments.check import check_runs
from pipeline.experiments.plan import Run
from pipeline.experiments.record import Record, locked

logger = logging.getLogger("vlsenet")

LOG = "log.txt"
#: exit status of a run that was stopped and can go on
INTERRUPTED = 130
WORKER = (sys.executable, "-W", "ignore", "-m", "pipeline.experiments.one_run")
#: seconds that a training has after an interrupt to mark its MLflow run
_GRACE = 60.0
_POLL = 0.2


@dataclass
class _Started:
    run: Run
    process: subprocess.Popen[bytes]
    lock: ExitStack
    since: float


class Runner:
    """Runs what is not finished.

    A process of its own for each run frees all memory, and its death costs one run. It leaves ``run.json``,
    ``log.txt``, ``checkpoints/`` and ``evaluation/`` in the run's folder.

    Args:
        runs: in their order.
        output_dir: folder of the experiment; its name is the MLflow experiment's.
        configs: folder of the bundle's configs.
        jobs: runs at a time.
        threads: CPU threads of each; None for an equal share of the cores.
        retry_failed: run again what failed before.
        after_each: called after each run.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        output_dir: Path,
        configs: Path,
        jobs: int = 1,
        threads: int | None = None,
        retry_failed: bool = False,
        after_each: Callable[[], None] = lambda: None,
    ) -> None:
        self._runs = list(runs)
        self._output_dir = output_dir.absolute()
        self._configs = configs.absolute()
        self._jobs = jobs
        self._threads = threads or max(1, (os.cpu_count() or 1) // jobs)
        self._retry_failed = retry_failed
        self._after_each = after_each
        self._started: list[_Started] = []
        self._waiting: list[Run] = []
        self._seconds: dict[str, list[float]] = {}  # of finished runs, by variant

    def run(self) -> int:
        """Run everything that is not finished; returns the number of runs that failed, now or before.

        Raises:
            UserError: a folder holds a run with other settings, or the settings or data can't be trained with.
            KeyboardInterrupt: the runs under way were stopped, and go on at the next call.
        """
        failed = 0
        for run in self._runs:
            record = Record.of(run)
            if record.state == "finished":
                self._note_time(record)
            elif record.state == "failed" and not self._retry_failed:
                logger.warning("%s failed before (%s); --retry_failed runs it again", run.name, record.error)
                failed += 1
            else:
                self._waiting.append(run)
        logger.info("%d of %d runs are left to do", len(self._waiting), len(self._runs))
        if self._waiting:
            check_runs(self._waiting, self._configs)
        with _terminated_as_interrupted():
            try:
                while self._waiting or self._started:
                    while self._waiting and len(self._started) < self._jobs:
                        self._start(self._waiting.pop(0))
                    time.sleep(_POLL)
                    for started in [s for s in self._started if s.process.poll() is not None]:
                        failed += self._ended(started)
            except KeyboardInterrupt:
                self._stop()
                raise
        return failed

    def _start(self, run: Run) -> None:
        lock = ExitStack()
        descriptor = lock.enter_context(locked(run.folder / ".lock"))
        if descriptor is None:
            logger.warning("%s is being run by another process: left to it", run.name)
            lock.close()
            return
        record = Record.of(run)
        if record.state == "finished":  # by another process, since this one looked
            lock.close()
            return
        record.write(run.folder)
        command = [*WORKER, "--folder", str(run.folder.absolute()), "--configs", str(self._configs)]
        command += ["--tracking_uri", f"sqlite:///{(self._output_dir / 'mlflow.db').as_posix()}"]
        command += ["--experiment_name", self._output_dir.name]
        threads = str(self._threads)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        environment["MLFLOW_DISABLE_TELEMETRY"] = "true"  # offline machines wait for it
        with (run.folder / LOG).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=(descriptor,),  # the lock lives as long as the run, also when this process is killed
                start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on once
            )
        self._started.append(_Started(run, process, lock, time.monotonic()))
        logger.info("%s: started (%s)", run.name, run.folder / LOG)

    def _ended(self, started: _Started) -> bool:
        """Tell how a run ended, and whether it failed."""
        self._started.remove(started)
        run, status = started.run, started.process.returncode
        record = Record.of(run)
        if record.state in ("running", "interrupted") and status != INTERRUPTED:  # it had no time to tell
            record.state, record.error = "failed", f"the process ended with status {status}; see {run.folder / LOG}"
            record.training_seconds = None
            record.write(run.folder)
        started.lock.close()
        left = len(self._waiting) + len(self._started)
        took = _duration(time.monotonic() - started.since)
        if record.state == "finished":
            self._note_time(record, time.monotonic() - started.since)
            logger.info("%s: done in %s; %d left%s", run.name, took, left, self._time_left())
        elif record.state == "failed":
            logger.error("%s: failed after %s: %s", run.name, took, record.error)
        else:
            logger.warning("%s: %s after %s; it goes on at the next call", run.name, record.state, took)
        self._after_each()
        return record.state == "failed"

    def _stop(self) -> None:
        logger.warning("stopping; the same command goes on from the last whole epoch")
        for started in self._started:
            started.process.terminate()
        deadline = time.monotonic() + _GRACE
        for started in self._started:
            try:
                started.process.wait(max(0.1, deadline - time.monotonic()))
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                started.process.kill()
                started.process.wait()
            started.lock.close()

    def _note_time(self, record: Record, wall: float = 0.0) -> None:
        if record.training_seconds is not None and record.evaluation_seconds is not None:
            seconds = max(wall, record.training_seconds + record.evaluation_seconds)  # with start, or in several parts
            self._seconds.setdefault(record.variant, []).append(seconds)

    def _time_left(self) -> str:
        """From the runs so far: those of the same variant, or of all where it has none yet."""
        left = sum(self._expected(run) for run in self._waiting)
        left += sum(max(0.0, self._expected(s.run) - (time.monotonic() - s.since)) for s in self._started)
        return f", about {_duration(left / self._jobs)}" if left else ""

    def _expected(self, run: Run) -> float:
        known = self._seconds.get(run.variant) or [value for values in self._seconds.values() for value in values]
        return sum(known) / len(known) if known else 0.0


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A ``kill`` stops as Ctrl-C does."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
