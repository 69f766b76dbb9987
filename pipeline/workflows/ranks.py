"""The processes that work on one command together, and one model trained by several of them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError, on_one_line
from pipeline.networks import SegmentationOutput

T = TypeVar("T")

logger = logging.getLogger("vlsenet")

#: how long a process waits for the others; a share of a large scan may take days longer than another
_PATIENCE = timedelta(days=30)
#: how long all of them may take to start: one that died before may not keep the others waiting
_JOINING = timedelta(minutes=15)


class OtherProcessFailed(SystemExit):
    """Process 0 failed and has reported why; the others end without a message of their own."""


class ToldFailure(OtherProcessFailed):
    """Another process failed at what all were about, and all know it: they may go on together with something else."""


def is_known_to_all(error: BaseException) -> bool:
    """Whether the other processes raised `ToldFailure` when this one raised an error."""
    return getattr(error, "known_to_all", False)


@dataclass(frozen=True)
class Ranks:
    """This process among the others.

    Attributes:
        rank: its number, from 0; process 0 logs for all.
        count: number of processes.
        local_rank: its number on this machine.
        local_count: number of processes on this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @classmethod
    def of_environment(cls) -> Ranks:
        """As ``torchrun`` set them; one process if it was not used."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        return cls(*(int(os.environ.get(name, default)) for name, default in zip(names, (0, 1, 0, 1), strict=True)))

    @property
    def is_first(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0

    def device(self) -> torch.device:
        """One GPU for each process of a machine; the CPU if there is none.

        Raises:
            UserError: there are fewer GPUs than processes.
        """
        if not torch.cuda.is_available():
            return torch.device("cpu")
        if self.local_rank >= torch.cuda.device_count():
            raise UserError(
                f"{self.local_count} processes but only {torch.cuda.device_count()} GPUs: start torchrun with "
                f"--nproc_per_node {torch.cuda.device_count()}, or give --device cpu"
            )
        return torch.device("cuda", self.local_rank)

    @contextmanager
    def joined(self, device: torch.device | str = "cpu") -> Iterator[None]:
        """While this lasts, the processes can wait for each other.

        Args:
            device: of the tensors that are exchanged. The CPU also if a network runs on GPUs, but only a few lists
                and numbers are exchanged.

        Raises:
            UserError: not all of them have come.
        """
        if self.count == 1:
            yield
            return
        backend = "cpu:gloo,cuda:nccl" if torch.device(device).type == "cuda" else "gloo"
        store = dist.PrefixStore("default_pg", self._store_of_all())
        dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.count, timeout=_PATIENCE)
        try:
            yield
        except UserError as error:
            # process 0 reports what happens to all of them (`begin`)
            if not self.is_first and not is_known_to_all(error):
                print(f"error: {error}", file=sys.stderr)
            raise
        finally:
            dist.destroy_process_group()

    def _store_of_all(self) -> dist.Store:
        """Where the processes find each other; when this returns, all are there."""
        try:
            store, _, _ = next(dist.rendezvous("env://", self.rank, self.count, timeout=_JOINING))
            store.set(f"vlsenet/{self.rank}", "here")
            store.wait([f"vlsenet/{rank}" for rank in range(self.count)], _JOINING)
        except RuntimeError as error:
            raise UserError(
                f"not all of the {self.count} processes came within {_JOINING.total_seconds() / 60:.0f} min; look at "
                "what the others say, and run the same command again to resume"
            ) from error
        store.set_timeout(_PATIENCE)
        return store

    def wait(self) -> None:
        """Return when all processes have reached this point."""
        if self.count > 1:
            self._together(dist.barrier)

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's share of a list: consecutive items, so that it reads only one part of a scan."""
        return items[len(items) * self.rank // self.count : len(items) * (self.rank + 1) // self.count]

    def first_does(self, work: Callable[[], T]) -> T:
        """Let process 0 do something while the others wait.

        Args:
            work: called by process 0 only; with several processes its result must be picklable.

        Returns:
            What `work` returned, in all processes.

        Raises:
            ToldFailure: in the others, when `work` fails in process 0.
        """
        if self.count == 1:
            return work()
        answer: list[Any] = [None]
        try:
            if self.is_first:
                answer = [(work(),)]
        except Exception as error:
            _make_known(error)
            raise
        finally:
            self._together(lambda: dist.broadcast_object_list(answer, src=0))
        if answer[0] is None:
            raise ToldFailure(1)
        result: T = answer[0][0]
        return result

    def one_then_others(self, work: Callable[[], T]) -> T:
        """Do something first in process 0 and then in the others, which find what process 0 has made.

        Returns:
            What `work` returned in this process.

        Raises:
            ToldFailure: in the others, when `work` fails in process 0.
        """
        mine: list[T] = []
        self.first_does(lambda: mine.append(work()))
        return mine[0] if mine else work()

    def each_does(self, work: Callable[[], object]) -> None:
        """Let every process do its part; when this returns, all are done.

        Raises:
            UserError: in process 0, when `work` fails in another.
            ToldFailure: in those where it did not fail.
        """
        if self.count == 1:
            work()
            return
        failure: Exception | None = None
        try:
            work()
        except Exception as error:
            failure = error
        problems: list[str | None] = [None] * self.count
        mine = None if failure is None else on_one_line(failure)
        self._together(lambda: dist.all_gather_object(problems, mine))
        said = [f"process {rank}: {problem}" for rank, problem in enumerate(problems) if problem is not None]
        if failure is None and not said:
            return
        if failure is None and not self.is_first:
            raise ToldFailure(1)
        failure = failure or UserError(said[0])
        _make_known(failure)
        raise failure

    def has_lost_another(self, error: BaseException) -> bool:
        """Whether an error says that the connection to another process broke."""
        message = str(error).lower()
        return (
            self.count > 1
            and isinstance(error, RuntimeError)
            and any(word in message for word in ("gloo", "nccl", "closed by peer", "connection reset", "socket"))
        )

    def _together(self, call: Callable[[], object]) -> None:
        try:
            call()
        except RuntimeError as error:  # raised by gloo when the connection to a process breaks
            logger.error("another process has ended; finished work is kept: run the same command again to resume")
            raise OtherProcessFailed(1) from error


def _make_known(error: Exception) -> None:
    error.known_to_all = True  # type: ignore[attr-defined]


def share_batch_statistics(network: nn.Module, device: torch.device | str) -> nn.Module:
    """Let batch norms use the whole batch, not each process its part; other norms don't look across images.

    Args:
        network: changed in place.
        device: where it will run; PyTorch has no such batch norm on CPUs, which is logged.
    """
    if not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        return network
    if torch.device(device).type != "cuda":
        logger.warning("--norm batch on CPUs: each process uses the statistics of its own part of the batch")
        return network
    return nn.SyncBatchNorm.convert_sync_batchnorm(network)


def distributed(network: nn.Module, device: torch.device | str) -> DistributedDataParallel:
    """Wrap a network for training: after each backward pass all processes hold the mean of their gradients.

    Every parameter takes part in every step, with any one switch off and in batches without pores too, so that torch
    needn't search for unused ones.
    """
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return DistributedDataParallel(network, device_ids=[device.index] if device.type == "cuda" else None)


class GlobalBatchLoss(nn.Module):
    """The loss of the whole batch, of which each process has a part.

    The Dice of a batch is not the mean of the Dices of its parts, so that a mean of the processes' losses would be
    another one. What the loss is made of is small, one logit per pixel; every process gathers it, and computes the
    whole loss. All get the same number, and the mean of their gradients is that of one process with the whole batch.

    Args:
        loss: of a prediction and a target.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, prediction: torch.Tensor | SegmentationOutput, target: torch.Tensor) -> torch.Tensor:
        """
        Args:
            prediction: of this process's part of the batch: logits (N, 1, H, W), or a `SegmentationOutput`.
            target: its true mask (N, 1, H, W).

        Returns:
            The loss of the whole batch, a scalar.
        """
        if isinstance(prediction, SegmentationOutput):
            parts: Any = [None if part is None else _Gathered.apply(part) for part in prediction]
            whole: Any = SegmentationOutput(*parts)
        else:
            whole = _Gathered.apply(prediction)
        return self.loss(whole, _Gathered.apply(target))


class _Gathered(torch.autograd.Function):
    """The parts (N, ...) of all processes, one behind the other; gradients go back to the part that they belong to."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor) -> torch.Tensor:
        parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        own = gradients[0].chunk(dist.get_world_size())[dist.get_rank()]
        # each process has the gradient of the whole loss in its own part; the mean over processes would shrink it
        return own * dist.get_world_size()
