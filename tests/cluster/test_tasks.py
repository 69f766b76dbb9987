"""Tasks on workers that are threads of this process: how they end, and what is given up."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError

import distributed
import psutil
import pytest

from pipeline.cluster import Done, Pool, in_tasks, tasks
from pipeline.errors import UserError

_RELEASED = threading.Event()
_BEGUN: list[int] = []
_MEETING = threading.Barrier(3)


def _halved(number: int) -> int:
    _BEGUN.append(number)
    if number == 3:
        raise UserError("3 is odd")
    if number == 5:
        raise ZeroDivisionError("five\nlines")
    return number // 2


def _listening() -> list[tuple[str, int]]:
    found = psutil.Process().net_connections("inet")
    return [tuple(one.laddr) for one in found if one.status == psutil.CONN_LISTEN]


def _waits(number: int) -> None:
    _BEGUN.append(number)
    _RELEASED.wait(30)


def _until(it_is_so: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not it_is_so() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_tasks_keep_their_order_and_one_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    _BEGUN.clear()
    caplog.set_level("INFO", logger="vlsenet")
    before = set(_listening())
    with Pool(workers=1).opened(in_process=True) as client:
        hosts, ports = zip(*set(_listening()) - before, strict=True)
        assert set(hosts) == {"127.0.0.1"}  # nothing listens to the network
        link = re.search(r"dashboard: http://127\.0\.0\.1:(\d+)/status", caplog.text)
        assert int(link[1]) in ports
        done = list(in_tasks(client, "number", _halved, range(12)))
        assert client.scheduler.address.startswith("inproc://")
        assert [one.index for one in done] == list(range(12)) == _BEGUN
        assert {one.index: one.problem for one in done if one.problem} == {3: "3 is odd", 5: "ZeroDivisionError: five"}
        assert [one.value for one in done][8:] == [4, 4, 5, 5]

        # whoever stops early has nothing left at work but what had begun
        _BEGUN.clear()
        ended = in_tasks(client, "number", _waits, range(20))
        threading.Timer(0.5, _RELEASED.set).start()
        next(ended)
        _RELEASED.clear()
        ended.close()
        _RELEASED.set()
    assert len(_BEGUN) < 20


def test_a_value_is_fetched_before_its_worker_can_die_with_it() -> None:
    """The caller may take long over each task, such as to send its results to MLflow."""
    _BEGUN.clear()
    with Pool(workers=1).opened(in_process=True) as client:
        ended = in_tasks(client, "number", _halved, [0, 1, 2])
        got = [next(ended)]
        _until(lambda: not client.cluster.scheduler.tasks)
        client.sync(client.cluster.workers[0].close, callback_timeout=20)
        got += ended
    assert [one.value for one in got] == [0, 0, 1]
    assert _BEGUN == [0, 1, 2]  # none is done again


def test_a_value_that_does_not_come_is_asked_for_again() -> None:
    class Future:
        def __init__(self, status: str, answer: object = None) -> None:
            self.status, self._answer = status, answer

        def result(self, timeout: float) -> object:
            assert timeout < 60
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

    assert tasks._how_it_ended(Future("finished", distributed.TimeoutError()), 4) is None
    assert tasks._how_it_ended(Future("lost"), 4) is None
    assert tasks._how_it_ended(Future("finished", Done(-1, "seen")), 4) == Done(4, "seen")
    assert tasks._how_it_ended(Future("error", ValueError("no\nsuch")), 4) == Done(4, problem="ValueError: no")
    with pytest.raises(UserError, match="connection to the Dask scheduler is lost"):
        tasks._how_it_ended(Future("cancelled", CancelledError()), 4)


def test_the_scheduler_knows_few_of_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "WINDOW", 8)
    known = []
    with Pool(workers=1).opened(in_process=True) as client:
        for done in in_tasks(client, "number", _halved, range(10, 60)):
            known.append(len(client.cluster.scheduler.tasks))
            assert done.value == (done.index + 10) // 2
    assert len(known) == 50
    assert max(known) <= 8


def test_giving_up_does_not_wait_for_a_cluster_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(tasks, "_forget", lambda *given: released.wait(60))
    monkeypatch.setattr(tasks, "_GIVE_UP", 0.1)
    with Pool(workers=1).opened(in_process=True) as client:
        ended = in_tasks(client, "number", _halved, range(10, 30))
        next(ended)
        started = time.monotonic()
        ended.close()
        assert time.monotonic() - started < 30
    released.set()


def _gpu(number: int) -> tuple[str, int]:
    _MEETING.wait(30)  # so that each worker has one
    return tasks.worker_name().split()[-1], tasks.own_gpu(3)


def test_workers_of_one_machine_use_different_gpus_also_one_that_followed_another() -> None:
    with Pool(workers=3).opened(in_process=True) as client:
        for _ in range(2):
            assert {done.value for done in in_tasks(client, "gpu", _gpu, range(3))} == {("0", 0), ("1", 1), ("2", 2)}
            _until(lambda: not client.cluster.scheduler.tasks)
            client.sync(client.cluster.workers[1].close, callback_timeout=20)
            _until(lambda: len(client.nthreads()) == 2)
            client.wait_for_workers(3, timeout=20)
    assert tasks.own_gpu(1) == 0


@pytest.mark.parametrize("address", ["nowhere:x", "tcp://127.0.0.1:abc", "nowhere"])
def test_no_scheduler_is_a_line(address: str) -> None:
    told = f"--scheduler {address}: no Dask scheduler answers there"
    with pytest.raises(UserError, match=told), Pool(scheduler=address).opened():
        pass
