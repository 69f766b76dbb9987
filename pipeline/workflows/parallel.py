"""One model trained by several processes: the same steps as those of one process with the whole batch."""

from __future__ import annotations

import logging
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.networks import SegmentationOutput

logger = logging.getLogger("vlsenet")


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
    """Wrap a network for training: after each backward pass all processes hold the mean of their gradients."""
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
            whole: Any = SegmentationOutput(*(_Gathered.apply(part) for part in prediction))
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
