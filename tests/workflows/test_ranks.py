from __future__ import annotations

import socket
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist

from pipeline.errors import UserError
from pipeline.workflows import Ranks, ranks
from pipeline.workflows.ranks import ToldFailure, is_known_to_all


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_runs_of_neighbours_that_make_up_the_whole(count: int) -> None:
    items = list(range(0, 40, 2))
    shares = [Ranks(rank, count).share(items) for rank in range(count)]
    assert [item for share in shares for item in share] == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_does_everything_itself() -> None:
    ranks = Ranks()
    with ranks.joined():
        assert ranks.first_does(lambda: 7) == 7
        assert ranks.one_then_others(lambda: 8) == 8
        ranks.wait()
        with pytest.raises(ZeroDivisionError):
            ranks.first_does(lambda: 1 // 0)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_an_error_of_one_process_is_told_to_all(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here of process 1 of three, whose messages are stood in for."""

    def gathered(problems: list, mine: str | None) -> None:
        problems[:] = [None, "the disk is full", None]
        problems[rank] = mine

    def work() -> None:
        if rank == 1:
            raise UserError("the disk is full")

    monkeypatch.setattr(dist, "all_gather_object", gathered)
    with pytest.raises((UserError, ToldFailure)) as caught:
        Ranks(rank, 3).each_does(work)
    assert isinstance(caught.value, ToldFailure) == (rank == 2)
    assert is_known_to_all(caught.value) == (rank != 2)
    assert str(caught.value) == {0: "process 1: the disk is full", 1: "the disk is full", 2: "1"}[rank]
    monkeypatch.setattr(dist, "all_gather_object", lambda problems, mine: None)
    Ranks(rank, 3).each_does(lambda: None)


def test_the_environment_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    ranks = Ranks.of_environment()
    assert (ranks.rank, ranks.count, ranks.local_rank, ranks.local_count) == (5, 8, 1, 4)
    assert not ranks.is_first


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Ranks(1, 2, 1, 2).device().type in ("cpu", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Ranks(5, 8, 1, 4).device() == torch.device("cuda", 1)
    with pytest.raises(UserError, match="--nproc_per_node 2"):
        Ranks(2, 4, 2, 4).device()


def test_one_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have died while it was imported, which torchrun on another machine does not tell."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(port))
    monkeypatch.setattr(ranks, "_JOINING", timedelta(seconds=1))
    with pytest.raises(UserError, match="not all of the 2 processes came"), Ranks(0, 2).joined():
        pass
    assert not dist.is_initialized()
