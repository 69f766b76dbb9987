"""Sees that tasks proceed: says when no worker is there, and ends what could wait for ever."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from pipeline.cluster.time_left import duration
from pipeline.errors import UserError

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger("vlsenet")

#: how often workers are counted while no task ends (s)
_EVERY = 10.0
#: how long nobody is told that there is no worker: one that died is started again in this time (s)
_QUIET = 30.0
#: how often it is said again; and how long workers of this machine, and a scheduler's answer, are waited for (s)
PATIENCE = 600.0


class Watch:
    """Of the tasks of a client.

    Args:
        client: of the workers.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._since = self._looked = time.monotonic()
        self._said: float | None = None

    def proceeds(self) -> None:
        """A task ended, or a worker is there."""
        self._since, self._said = time.monotonic(), None

    def look(self, waiting: int) -> None:
        """Called while no task ends, with the number of those that wait.

        Raises:
            UserError: the scheduler does not answer, or no worker of this machine starts.
        """
        now = time.monotonic()
        if now - self._looked < _EVERY:
            return
        self._looked = now
        count = worker_count(self._client)
        if count:
            self.proceeds()
            return
        idle = now - self._since
        if idle > PATIENCE:
            self._end(count, idle)
        if idle > _QUIET and (self._said is None or now - self._said > PATIENCE):
            self._said = now
            logger.warning("%s: %d tasks wait", self._what_is_missing(count), waiting)

    def _end(self, count: int | None, idle: float) -> None:
        """Jobs and workers of others are waited for as long as it takes."""
        if count is None:
            raise UserError(
                f"the Dask scheduler has not answered for {duration(idle)}; run the same command again to resume"
            )
        if self._has_own_workers():
            raise UserError(
                f"no worker of this machine has started for {duration(idle)}; is there enough memory? The same command "
                "with fewer --workers resumes"
            )

    def _has_own_workers(self) -> bool:
        from distributed import LocalCluster

        return isinstance(self._client.cluster, LocalCluster)

    def _what_is_missing(self, count: int | None) -> str:
        if count is None:
            return "the Dask scheduler does not answer"
        if self._has_own_workers():
            return "no worker is there, they are started again"
        if self._client.cluster is not None:
            return "no job of the queue works yet, or any more (the queue's own command shows them)"
        scheduler: Any = self._client.scheduler
        words = f"dask worker {scheduler.address} --nthreads 1 --memory-limit 0"
        return f"no worker is connected (`{words}` starts one)"


def worker_count(client: Client) -> int | None:
    """The number of workers; None: the scheduler does not answer."""
    from distributed import TimeoutError as NoAnswerError

    scheduler: Any = client.scheduler
    try:
        return len(client.sync(scheduler.ncores, callback_timeout=_EVERY))
    except (OSError, RuntimeError, NoAnswerError):
        return None
