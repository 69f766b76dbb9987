"""Tasks on Dask's workers: each ends with a value or a problem, and one whose worker died is repeated on another."""

from __future__ import annotations

import logging
import os
import platform
import re
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import uuid4

from pipeline.errors import UserError, first_line, mistake_behind

if TYPE_CHECKING:
    from distributed import Client, Future

A = TypeVar("A")
R = TypeVar("R")

logger = logging.getLogger("vlsenet")


@dataclass(frozen=True)
class Done(Generic[R]):
    """How a task ended.

    Attributes:
        index: its place among the tasks.
        value: what it returned; None where it failed.
        problem: why it failed, in a line; None: it did not.
        seconds: that it took, on the worker that ended it.
    """

    index: int
    value: R | None = None
    problem: str | None = None
    seconds: float = 0.0


def in_tasks(
    client: Client,
    what: str,
    function: Callable[[A], R],
    arguments: Sequence[A],
    stop: Callable[[], object] | None = None,
) -> Generator[Done[R], None, None]:
    """Call a function for each of several arguments on the workers, in their order; gives each as it ends.

    A call is repeated if its worker dies, up to ten times: it must find what was finished before. If the caller stops
    early, or is interrupted, all calls are given up, and the workers that are at one do `stop`.

    Args:
        client: of the workers.
        what: for the dashboard, such as `scan`.
        function: on the workers; a module's, as is the class of the arguments.
        arguments: of the calls; small, as each goes through the scheduler.
        stop: ends the calls under way on a worker; None: the worker is restarted.

    Raises:
        UserError: the scheduler went away.
    """
    from distributed import as_completed

    run = uuid4().hex[:6]
    keys = [f"{what}-{run}x-{index:06d}" for index in range(len(arguments))]
    places = {key: index for index, key in enumerate(keys)}
    futures = client.map(_Timed(function), arguments, key=keys, pure=False)
    left = set(futures)
    try:
        for future in as_completed(futures, raise_errors=False):
            left.discard(future)
            done = _how_it_ended(future, places[future.key])
            future.release()  # otherwise it is done again when the worker that has its value dies
            yield done
    finally:
        _give_up(client, left, stop)


@dataclass(frozen=True)
class _Timed(Generic[A, R]):
    """A function with the time that it takes; what it raises becomes a line, as not every error can travel."""

    function: Callable[[A], R]

    def __call__(self, argument: A) -> tuple[R | None, str | None, float]:
        started = time.monotonic()
        try:
            value, problem = self.function(argument), None
        except Exception as error:
            value, problem = None, problem_of(error)
        return value, problem, time.monotonic() - started


def problem_of(error: BaseException) -> str:
    """An error in a line: a user's mistake by its message, others with their kind."""
    mistake = mistake_behind(error)
    return str(mistake) if mistake is not None else f"{type(error).__name__}: {first_line(error)}"


def _how_it_ended(future: Future, index: int) -> Done:
    from distributed.scheduler import KilledWorker

    if future.status == "finished":
        value, problem, seconds = future.result()
        return Done(index, value, problem, seconds)
    if future.status == "error":
        error = future.exception()
        if isinstance(error, KilledWorker):
            return Done(index, problem="every worker that began it died; is there enough memory?")
        return Done(index, problem=problem_of(error))
    raise UserError("the connection to the Dask scheduler is lost; run the same command again to resume")


def _give_up(client: Client, futures: set[Future], stop: Callable[[], object] | None) -> None:
    """Forget tasks, and end those under way; Dask itself lets a running one go on to its end."""
    if not futures:
        return
    keys = {future.key for future in futures}
    with suppress(Exception):  # whatever there is with a cluster that may be gone, the caller's error counts
        busy = [address for address, doing in client.processing().items() if keys & set(doing)]
        client.cancel(list(futures), force=True)
        if stop is not None:
            client.run(stop, on_error="ignore")
        elif busy and client.cluster is None:  # a cluster of our own is closed, which ends its workers
            client.restart_workers(busy, timeout=30, raise_for_error=False)


def worker_name() -> str:
    """This worker among the others: the host, and its name at the scheduler; outside of one, the host."""
    from distributed import get_worker

    try:
        name = str(get_worker().name)
    except ValueError:
        return platform.node()
    return f"{platform.node()} {name}"


def own_gpu(count: int) -> int:
    """The number of the GPU that this worker uses, of those that it sees: workers of one machine use different ones.

    Args:
        count: of GPUs; at least 1.
    """
    number = re.search(r"(\d+)$", worker_name())
    return int(number[1]) % count if number else os.getpid() % count
