"""Runs the trainings of an experiment, each in its own process, and resumes where an earlier call stopped."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from pipeline.exit_status import INTERRUPTED
from pipeline.experiments.devices import least_used
from pipeline.experiments.plan import Run
from pipeline.experiments.record import Record, locked
from pipeline.experiments.time_left import TimeLeft, duration
from pipeline.experiments.worker import LOG, Worker, start_worker, stop_workers

logger = logging.getLogger("vlsenet")

_POLL = 0.2


class Runner:
    """Runs what is not finished.

    A process of its own for each run frees all memory, and its death costs one run. It leaves ``run.json``,
    ``log.txt``, ``checkpoints/`` and ``evaluation/`` in the run's folder.

    Args:
        runs: in their order.
        output_dir: folder of the experiment, with ``experiment.json``.
        jobs: runs at a time.
        threads: CPU threads of each; None for an equal share of the cores.
        retry_failed: run again what failed before.
        gpus: those to spread the runs over; none of them is set for a run where there is one or none.
        after_each: called after each run, with what is known of it.

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
        after_each: Callable[[Run, Record], None] = lambda run, record: None,
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
            record = Record.of(run)
            if record.state == "finished":
                self._time_left.note(record)
            elif record.state == "failed" and not self._retry_failed:
                logger.warning("%s failed before (%s); --retry_failed runs it again", run.name, record.error)
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
                self._stop()
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
        record = Record.of(run)
        if record.state == "finished":  # by another process, since this one looked
            lock.close()
            return
        record.write(run.folder)
        gpu = least_used(self._gpus, [worker.gpu for worker in self._workers if worker.gpu is not None])
        self._workers.append(start_worker(run, self._output_dir, lock, descriptor, self._threads, gpu))
        logger.info("%s: started (%s)", run.name, run.folder / LOG)

    def _ended(self, worker: Worker) -> None:
        """Tell how a run ended."""
        self._workers.remove(worker)
        run, status = worker.run, worker.process.returncode
        record = Record.of(run)
        if record.state in ("running", "interrupted") and status != INTERRUPTED:  # it had no time to tell
            record.state, record.error = "failed", f"the process ended with status {status}; see {run.folder / LOG}"
            record.training_seconds = None
            record.write(run.folder)
        worker.lock.close()
        left = len(self._waiting) + len(self._workers)
        now = time.monotonic()
        took = duration(now - worker.since)
        if record.state == "finished":
            self._time_left.note(record, now - worker.since)
            under_way = [(other.run.variant, now - other.since) for other in self._workers]
            rest = self._time_left.told([waiting.variant for waiting in self._waiting], under_way, self._jobs)
            logger.info("%s: done in %s; %d left%s", run.name, took, left, rest)
        elif record.state == "failed":
            logger.error("%s: failed after %s: %s", run.name, took, record.error)
            self._failed.append(run.name)
        else:
            logger.warning("%s: %s after %s; the next call resumes it", run.name, record.state, took)
            self.unfinished.append(run.name)
        self._after_each(run, record)

    def _stop(self) -> None:
        logger.warning("stopping; run the same command again to resume from the last complete epoch")
        stop_workers(self._workers)


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
