"""ASRM and context block for inference, once their norms are folded away: the same functions in few steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks.asrm import ASRM
from pipeline.networks.blocks import ControlledResidual, at_least_single
from pipeline.networks.context import ContextBlock
from pipeline.networks.fused_convolution import (
    ActivatedConvolution,
    JoinedConvolution,
    activated,
    bias_of,
    convolution_in,
    convolution_of,
)
from pipeline.networks.kernels import is_recording
from pipeline.networks.snake import CENTRE, TAPS, SnakeConvolution, snake_offsets

#: taps, and how far across the line each may read (px)
_READ = [(tap, across) for tap in range(TAPS) for across in range(-abs(tap - CENTRE), abs(tap - CENTRE) + 1)]


class FoldedASRM(nn.Module):
    """`ASRM` whose norms are folded away.

    The weighted sum of the branches is taken pixel by pixel, from where the branches lie side by side.

    Args:
        asrm: its weights are used.
    """

    def __init__(self, asrm: ASRM) -> None:
        super().__init__()
        straight, *snakes = asrm.branches
        self.compress = _activated(asrm.compress)
        self.straight = _activated(straight)
        self.snakes = FoldedSnakes([cast(SnakeConvolution, snake) for snake in snakes]) if snakes else None
        if asrm.gate is not None:
            self.gate = nn.Sequential(_activated(asrm.gate[0]), convolution_in(asrm.gate[1]))
            self._bags = _KeptBags()
        self.fuse = _activated(asrm.fuse[0])
        self.refine = _with_residual(convolution_in(asrm.fuse[1]), asrm.residual)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine the features x (N, C, H, W)."""
        compressed = self.compress(x)
        z = self.straight(compressed)
        if self.snakes is not None:
            branches = torch.cat([z, self.snakes(compressed)], dim=1)
            z = self._sum_of(branches, self.gate(branches).movedim(1, -1).softmax(-1))
        refined: torch.Tensor = self.refine(self.fuse(z), x)
        return refined

    def _sum_of(self, branches: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Features (N, C, H, W): a sum of those side by side (N, B C, H, W), weighted at each pixel (N, H, W, B)."""
        size, count = weights.shape[:3], weights.shape[-1]
        rows = branches.movedim(1, -1).reshape(-1, branches.shape[1] // count)
        bags = self._bags((rows.shape[0] // count, count), rows.device, _branches)
        return _weighted_sums(rows, bags, weights.to(rows.dtype)).view(*size, -1).movedim(-1, 1)


class FoldedSnakes(nn.Module):
    """Snake convolutions of the same features, side by side: their outputs (N, S C, H, W).

    A snake takes a value for each tap, between two pixels, and weighs the values by a convolution. Both are linear:
    here the convolution comes first, for all pixels and taps, and a snake's output is a weighted sum of its rows, which
    PyTorch's embedding bag takes in one step. The taps' values are never laid out.

    A tap d pixels along the line is at most d pixels across it. So all 17 rows that a snake may read are summed, always
    the same ones for a size of x, by their distance from the tap: most weights are 0, but to find the ten others takes
    longer than to add them.

    Args:
        snakes: S of them, whose weights are used.
    """

    accumulate: torch.Tensor
    across: torch.Tensor

    def __init__(self, snakes: Sequence[SnakeConvolution]) -> None:
        super().__init__()
        self.vertical = [snake.vertical for snake in snakes]
        steps = [convolution_in(snake.to_steps) for snake in snakes]
        weight, bias = torch.cat([one.weight for one in steps]), torch.cat([bias_of(one) for one in steps])
        self.to_steps = ActivatedConvolution(convolution_of(weight, bias, padding=1), "tanh")
        taps = [convolution_in(snake.weigh_taps) for snake in snakes]
        by_tap = [one.weight.unflatten(1, (-1, TAPS)).permute(2, 0, 1, 3, 4).flatten(0, 1) for one in taps]
        # a tap's rows have weights that add up to 1, so that the bias of one tap is that of the sum
        biases = [F.pad(bias_of(one)[None], (0, 0, CENTRE, TAPS - 1 - CENTRE)).flatten() for one in taps]
        self.to_rows = convolution_of(torch.cat(by_tap), torch.cat(biases))
        self.slope = cast(nn.LeakyReLU, snakes[0].weigh_taps.get_submodule("adn.A")).negative_slope
        every = torch.eye(TAPS - 1, device=weight.device, dtype=at_least_single(weight).dtype)
        own = snake_offsets(every[..., None, None]).flatten(1)[:, [tap for tap, _ in _READ]]
        self.register_buffer("accumulate", torch.block_diag(*[own] * len(snakes)), persistent=False)
        across = torch.tensor([offset for _, offset in _READ] * len(snakes), dtype=own.dtype, device=own.device)
        self.register_buffer("across", across, persistent=False)
        self._bags = _KeptBags()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve x (N, C, H, W) along the snakes."""
        steps = at_least_single(self.to_steps(x)).movedim(1, -1)
        with torch.autocast(x.device.type, enabled=False):  # it would round positions to a quarter of a pixel
            across, accumulate = self.across.to(steps.dtype), self.accumulate.to(steps.dtype)
            distances = torch.addmm(across, steps.flatten(0, 2), accumulate, beta=-1)
            shares = (1 - distances.abs_()).clamp_(min=0)
        rows = self.to_rows(x).movedim(1, -1)
        width = rows.shape[-1] // (TAPS * len(self.vertical))
        bags = self._bags((*steps.shape[:3],), steps.device, self._read)
        summed = _weighted_sums(rows.reshape(-1, width), bags, shares.to(rows.dtype))
        return F.leaky_relu(summed, self.slope).view(*steps.shape[:3], -1).movedim(-1, 1)

    def _read(self, size: Sequence[int], device: torch.device) -> torch.Tensor:
        """Numbers of the rows that each snake of each pixel reads (N H W S, 17), of all pixels' and taps' rows."""
        line = partial(torch.arange, dtype=torch.int32, device=device)
        image, row, column = (axis[..., None] for axis in torch.meshgrid(*map(line, size), indexing="ij"))
        tap, across = torch.tensor(_READ, dtype=torch.int32, device=device).unbind(1)
        _, height, width = size
        found = []
        for number, is_vertical in enumerate(self.vertical):
            down, right = (tap - CENTRE, across) if is_vertical else (across, tap - CENTRE)
            # beyond the border it repeats itself
            y, x = (row + down).clamp(0, height - 1), (column + right).clamp(0, width - 1)
            found.append(((image * height + y) * width + x) * (TAPS * len(self.vertical)) + TAPS * number + tap)
        return torch.stack(found, -2).flatten(0, 3)


class FoldedContext(nn.Module):
    """`ContextBlock` whose norms are folded away.

    Args:
        context: its weights are used.
    """

    def __init__(self, context: ContextBlock) -> None:
        super().__init__()
        self.compress = _activated(context.compress)
        self.scales = nn.ModuleList(
            nn.Sequential(convolution_in(scale.get_submodule("0")), _activated(scale.get_submodule("1")))
            for scale in context.scales
        )
        self.fuse = _activated(context.fuse[0])
        self.refine = _with_residual(convolution_in(context.fuse[1]), context.residual)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add context to the features x (N, C, H, W)."""
        compressed = self.compress(x)
        scales = [compressed, *(scale(compressed) for scale in self.scales)]
        refined: torch.Tensor = self.refine(self.fuse(torch.cat(scales, dim=1)), x)
        return refined


def _activated(block: nn.Module) -> ActivatedConvolution:
    found = activated(block)
    assert found is not None  # norms are folded
    return found


def _with_residual(convolution: nn.Conv2d, residual: ControlledResidual) -> JoinedConvolution:
    """`x + strength * convolution(z)` as one convolution, and x added."""
    strength = residual.limit * residual.strength.detach().sigmoid()
    weight, bias = convolution.weight * strength[..., None], bias_of(convolution) * strength.flatten()
    return JoinedConvolution(convolution_of(weight, bias))


def _branches(size: Sequence[int], device: torch.device) -> torch.Tensor:
    """Numbers of rows that lie one after the other: of B branches (P, B), for the size P, B."""
    pixels, count = size
    return torch.arange(pixels * count, dtype=torch.int32, device=device).view(-1, count)


class Bags(NamedTuple):
    """Rows that are summed together.

    Attributes:
        numbers: of the rows, bag after bag.
        first: where each bag begins.
    """

    numbers: torch.Tensor
    first: torch.Tensor


class _KeptBags:
    """Bags that are the same for a size, kept for the next call, which mostly has the same."""

    def __init__(self) -> None:
        self._kept: tuple[object, Bags] | None = None

    def __call__(
        self,
        size: Sequence[int],
        device: torch.device,
        make: Callable[[Sequence[int], torch.device], torch.Tensor],
    ) -> Bags:
        """Those that `make` numbers for this size, (bags, rows in each)."""
        key = tuple(size), device
        if self._kept is not None and self._kept[0] == key and not is_recording():
            return self._kept[1]
        index = make(size, device)
        first = torch.arange(index.shape[0], dtype=torch.int32, device=device) * index.shape[1]
        bags = Bags(index.flatten(), first)
        if not is_recording():
            self._kept = key, bags
        return bags


def _weighted_sums(rows: torch.Tensor, bags: Bags, weights: torch.Tensor) -> torch.Tensor:
    """Sums (B, C) of rows (R, C), weighted, weights in the order of the bags."""
    flat = weights.flatten()
    result: torch.Tensor = F.embedding_bag(bags.numbers, rows, bags.first, per_sample_weights=flat, mode="sum")
    return result
