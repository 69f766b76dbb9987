"""What is said, and when a command ends, while no task proceeds; on a clock of its own."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from pipeline.cluster import watch
from pipeline.cluster.watch import PATIENCE, Watch
from pipeline.errors import UserError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def _looked(client: object, clock: list[float], until: float) -> None:
    seen = Watch(client)  # type: ignore[arg-type]
    while clock[0] < until:
        clock[0] += 1
        seen.look(7)


def _client(cluster: object = None) -> SimpleNamespace:
    return SimpleNamespace(cluster=cluster, scheduler=SimpleNamespace(address="tcp://10.0.0.1:8786"))


def test_workers_of_others_are_waited_for_and_the_log_says_so_now_and_then(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "worker_count", lambda client: 0)
    _looked(_client(), clock, 3.5 * PATIENCE)
    told = [record.getMessage() for record in caplog.records]
    words = "dask worker tcp://10.0.0.1:8786 --nthreads 1 --memory-limit 0"
    assert told == [f"no worker is connected (`{words}` starts one): 7 tasks wait"] * 4
    caplog.clear()
    _looked(_client(object()), clock, clock[0] + 60)
    assert "no job of the queue works" in caplog.text


def test_a_scheduler_that_does_not_answer_ends_it(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "worker_count", lambda client: None)
    with pytest.raises(UserError, match=r"has not answered for 10 min; run the same command again to resume"):
        _looked(_client(), clock, 2 * PATIENCE)
    assert PATIENCE < clock[0] < 1.1 * PATIENCE


def test_workers_that_are_there_may_take_their_time(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "worker_count", lambda client: 1)
    _looked(_client(), clock, 3 * PATIENCE)
    assert not caplog.records


def test_workers_of_this_machine_must_start(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "worker_count", lambda client: 0)
    monkeypatch.setattr(Watch, "_has_own_workers", lambda self: True)
    with pytest.raises(UserError, match="no worker of this machine has started for 10 min"):
        _looked(_client(), clock, 2 * PATIENCE)
