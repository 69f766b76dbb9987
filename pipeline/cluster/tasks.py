"""Tasks on Dask's workers: each ends with a value or a problem, and one whose worker died is repeated on another.

A worker may die at any moment, also when its value is about to be fetched: nothing here waits without a limit.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import uuid4

from pipeline.cluster.watch import Watch
from pipeline.errors import UserError, first_line, mistake_behind

if TYPE_CHECKING:
    from distributed import Client, Future

A = TypeVar("A")
R = TypeVar("R")

#: tasks that the scheduler knows at a time: its memory does not grow with their number
WINDOW = 2000
#: how long the value of a finished task is waited for, before other tasks' values are looked for (s)
_FETCH = 10.0
#: how long workers have to end what they do, when the rest is given up: longer than a training has (s)
_GIVE_UP = 90.0


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
    early, or is interrupted, all calls are given up, and the workers that are at one do `stop`. While there is no
    worker, the log says so.

    Args:
        client: of the workers.
        what: for the dashboard, such as `scan`.
        function: on the workers; a module's, as is the class of the arguments.
        arguments: of the calls; small, as each goes through the scheduler.
        stop: ends the calls under way on a worker; None: the worker is restarted.

    Raises:
        UserError: the scheduler went away, or no worker of this machine starts.
    """
    ended: SimpleQueue[Done[R] | BaseException] = SimpleQueue()
    submitted = _Submitted(client, what, function, arguments)
    Thread(target=submitted.collect, args=(ended,), name="values of tasks", daemon=True).start()
    watch, left = Watch(client), len(arguments)
    try:
        while left:
            try:
                done = ended.get(timeout=1.0)
            except Empty:
                watch.look(left)
                continue
            if isinstance(done, BaseException):
                raise done
            left -= 1
            watch.proceeds()
            yield done
    finally:
        if left:
            _give_up(client, submitted, stop)


class _Submitted(Generic[A, R]):
    """Tasks at the scheduler, not too many at a time."""

    def __init__(self, client: Client, what: str, function: Callable[[A], R], arguments: Sequence[A]) -> None:
        from distributed import as_completed

        self._client, self._function, self._arguments = client, _Timed(function), arguments
        self._name = f"{what}-{uuid4().hex[:6]}x"
        self._places: dict[Future, int] = {}
        self._next, self._closed, self._lock = 0, False, Lock()
        self._completed = as_completed(raise_errors=False, loop=client.loop)
        self._submit()

    def collect(self, ended: SimpleQueue[Done[R] | BaseException]) -> None:
        """Put each task into a queue as it ends, at once: a value that is left on a worker may die with it."""
        try:
            for future in self._completed:
                done = _how_it_ended(future, self._places[future])
                if done is None:
                    self._completed.add(future)
                    continue
                with self._lock:
                    del self._places[future]
                future.release()  # otherwise it is done again when the worker that has its value dies
                self._submit()
                ended.put(done)
        except BaseException as error:  # the caller's thread raises it
            ended.put(error)

    def close(self) -> set[Future]:
        """Submit no more; returns those that have not ended."""
        with self._lock:
            self._closed = True
            return set(self._places)

    def _submit(self) -> None:
        """As many as fill the window, where half of it has ended."""
        with self._lock:
            room = WINDOW - len(self._places)
            numbers = range(self._next, min(self._next + room, len(self._arguments)))
            if self._closed or not numbers or room < WINDOW // 2:
                return
            arguments = [self._arguments[number] for number in numbers]
            keys = [f"{self._name}-{number:06d}" for number in numbers]
            futures = self._client.map(self._function, arguments, key=keys, pure=False)
            self._places.update(zip(futures, numbers, strict=True))
            self._next = numbers.stop
            self._completed.update(futures)


@dataclass(frozen=True)
class _Timed(Generic[A, R]):
    """A function with the time that it takes; what it raises becomes a line, as not every error can travel."""

    function: Callable[[A], R]

    def __call__(self, argument: A) -> Done[R]:
        started = time.monotonic()
        value: R | None = None
        problem = None
        try:
            value = self.function(argument)
        except Exception as error:
            problem = problem_of(error)
        return Done(-1, value, problem, time.monotonic() - started)


def problem_of(error: BaseException) -> str:
    """An error in a line: a user's mistake by its message, others with their kind."""
    mistake = mistake_behind(error)
    return str(mistake) if mistake is not None else f"{type(error).__name__}: {first_line(error)}"


def _how_it_ended(future: Future, index: int) -> Done | None:
    """How a task ended; None: its worker died before its value was here, so that it is under way again."""
    from distributed import TimeoutError as NoAnswerError
    from distributed.scheduler import KilledWorker

    if future.status == "cancelled":
        raise UserError("the connection to the Dask scheduler is lost; run the same command again to resume")
    if future.status not in ("finished", "error"):
        return None
    try:
        return replace(future.result(timeout=_FETCH), index=index)
    except NoAnswerError:
        return None
    except KilledWorker:
        return Done(index, problem="every worker that began it died; is there enough memory?")
    except Exception as error:
        return Done(index, problem=problem_of(error))


def _give_up(client: Client, submitted: _Submitted, stop: Callable[[], object] | None) -> None:
    """Forget tasks, and end those under way; Dask itself lets a running one go on to its end.

    A worker or scheduler that does not answer is not waited for.
    """
    giving_up = Thread(target=_forget, args=(client, submitted, stop), name="give up", daemon=True)
    giving_up.start()
    giving_up.join(_GIVE_UP)


def _forget(client: Client, submitted: _Submitted, stop: Callable[[], object] | None) -> None:
    futures = submitted.close()
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
