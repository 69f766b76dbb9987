"""Tasks on workers that are threads of this process: how they end, and what is given up."""

from __future__ import annotations

import re
import threading

import psutil
import pytest

from pipeline.cluster import Pool, in_tasks
from pipeline.errors import UserError

_RELEASED = threading.Event()
_BEGUN: list[int] = []


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


def test_no_scheduler_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "--scheduler nowhere:x: no Dask scheduler answers there"
    with pytest.raises(UserError, match=told), Pool(scheduler="nowhere:x").opened():
        pass
