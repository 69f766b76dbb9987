"""Runs the trainings of an experiment, each in its own process, and resumes where an earlier call stopped."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

from pipeline.cluster import Done, Pool, in_tasks
from pipeline.cluster.time_left import TimeLeft, duration
from pipeline.cluster.watch import worker_count
from pipeline.errors import INTERRUPTED
from pipeline.experiments import training_task
from pipeline.experiments.record import Run
from pipeline.experiments.training_task import LOG, TrainingTask, run_training, stop_trainings

logger = logging.getLogger("vlsenet")


class Runner:
    """Runs what is not finished.

    A process of its own for each run frees all memory, and its death costs one run. A lock that the process inherits
    keeps two commands from working on the same run. It leaves ``run.json``,
    ``log.txt``, ``checkpoints/`` and ``evaluation/`` in the run's folder.

    Args:
        runs: in their order.
        output_dir: folder of the experiment, with ``experiment.json``.
        pool: what works on them; by default one process after the other.
        threads: CPU threads of each; None for an equal share of the cores, or as the workers of a cluster have them.
        retry_failed: run again what failed before.
        after_each: called after each run.

    Attributes:
        unfinished: names of the runs that were interrupted or are another process's, after `run`.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        output_dir: Path,
        pool: Pool = Pool(),  # noqa: B008 - immutable
        threads: int | None = None,
        retry_failed: bool = False,
        after_each: Callable[[Run], None] = lambda run: None,
    ) -> None:
        self._runs = list(runs)
        self._output_dir = output_dir.absolute()
        self._pool = pool
        on_cluster = pool.scheduler is not None or pool.cluster is not None
        self._threads = threads or (None if on_cluster else max(1, (os.cpu_count() or 1) // (pool.workers or 1)))
        self._retry_failed = retry_failed
        self._after_each = after_each
        self._failed: list[str] = []
        self.unfinished: list[str] = []
        self._time_left = TimeLeft()

    def run(self) -> list[str]:
        """Run everything that is not finished; returns the names of the runs that failed, now or before.

        Raises:
            UserError: a folder holds a run with other settings.
            KeyboardInterrupt: the runs under way were stopped, and go on at the next call.
        """
        waiting: list[Run] = []
        for run in self._runs:
            before = run.resumed()
            if before.state == "finished":
                self._note(before)
            elif before.state == "failed" and not self._retry_failed:
                logger.warning("%s failed before (%s); --retry_failed runs it again", run.name, before.error)
                self._failed.append(run.name)
            else:
                waiting.append(run)
        logger.info("%d of %d runs to do", len(waiting), len(self._runs))
        if waiting:
            with _terminated_as_interrupted():
                self._work(waiting)
        return self._failed

    def _work(self, waiting: list[Run]) -> None:
        mark = uuid4().hex
        command = training_task.COMMAND
        runs = [replace(run, folder=run.folder.absolute()) for run in waiting]
        tasks = [TrainingTask(run, str(self._output_dir), mark, self._threads, command) for run in runs]
        left = list(waiting)
        try:
            with self._pool.opened(in_process=True) as client:
                stop = partial(stop_trainings, mark)
                with closing(in_tasks(client, "training", run_training, tasks, stop)) as ended:
                    for done in ended:
                        run = waiting[done.index]
                        left.remove(run)
                        self._ended(run, done, [other.variant for other in left], worker_count(client) or 1)
        except BaseException:
            logger.warning("stopping; run the same command again to resume from the last complete epoch")
            raise

    def _ended(self, run: Run, done: Done[int | None], left: Sequence[str], workers: int) -> None:
        """Log how a run ended."""
        if done.value is None and done.problem is None:
            logger.warning("%s is being run by another process: skipped", run.name)
            self.unfinished.append(run.name)
            return
        run = run.resumed()
        if run.state in ("running", "interrupted") and done.value != INTERRUPTED:  # it could not report it
            why = done.problem or f"the process ended with status {done.value}"
            run.state, run.error = "failed", f"{why}; see {run.folder / LOG}"
            run.training_seconds = None
            run.write()
        took = duration(done.seconds)
        if run.state == "finished":
            self._note(run, done.seconds)
            rest = self._time_left.estimate(left, workers)
            logger.info("%s: done in %s; %d left%s", run.name, took, len(left), rest)
        elif run.state == "failed":
            logger.error("%s: failed after %s: %s", run.name, took, run.error)
            self._failed.append(run.name)
        else:
            logger.warning("%s: %s after %s; the next call resumes it", run.name, run.state, took)
            self.unfinished.append(run.name)
        self._after_each(run)

    def _note(self, run: Run, wall: float = 0.0) -> None:
        """Take in how long a finished run took, whose process took `wall` seconds just now; it may have had parts."""
        if run.training_seconds is not None and run.evaluation_seconds is not None:
            self._time_left.note(run.variant, max(wall, run.training_seconds + run.evaluation_seconds))


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A ``kill`` stops as Ctrl-C does."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
