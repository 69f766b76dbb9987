"""ASRM and context block for inference, once their norms are folded away: the same functions in few steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

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
        self.fuse = _activated(asrm.fuse[0])
        self.refine = _with_residual(convolution_in(asrm.fuse[1]), asrm.residual)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine the features x (N, C, H, W)."""
        compressed = self.compress(x)
        z = self.straight(compressed)
        if self.snakes is not None:
            branches = torch.cat([z, self.snakes(compressed)], dim=1)
            z = _sum_of_branches(branches, self.gate(branches).movedim(1, -1).softmax(-1))
        refined: torch.Tensor = self.refine(self.fuse(z), x)
        return refined


class FoldedSnakes(nn.Module):
    """Snake convolutions of the same features, side by side: their outputs (N, S C, H, W).

    A snake takes a value for each tap, between two pixels, and weighs the values by a convolution. Both are linear:
    here the convolution comes first, for all pixels and taps, and a snake's output is a weighted sum of ten of its
    rows, which PyTorch's embedding bag takes in one step. The taps' values are never laid out.

    Args:
        snakes: S of them, whose weights are used.
    """

    accumulate: torch.Tensor

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
        own = snake_offsets(every[..., None, None]).flatten(1)
        self.register_buffer("accumulate", torch.block_diag(*[own] * len(snakes)), persistent=False)
        self._kept: tuple[object, tuple[torch.Tensor, torch.Tensor]] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve x (N, C, H, W) along the snakes."""
        steps = at_least_single(self.to_steps(x)).movedim(1, -1)
        with torch.autocast(x.device.type, enabled=False):  # it would round positions to a quarter of a pixel
            offsets = steps.flatten(0, 2) @ self.accumulate.to(steps.dtype)
        # a border that repeats itself, as far as snakes reach: no position has to be clamped to the image
        rows = self.to_rows(F.pad(x, (CENTRE,) * 4, mode="replicate")).movedim(1, -1)
        width = rows.shape[-1] // (TAPS * len(self.vertical))
        first, stride = self._places(steps)
        below = offsets.floor().clamp_(max=CENTRE - 1)  # an offset of CENTRE itself lies at the end of its two pixels
        share = (offsets - below).unflatten(-1, (-1, TAPS))
        index = (below.int() * stride + first).unflatten(-1, (-1, TAPS))
        bags = torch.cat([index, index + stride.unflatten(-1, (-1, TAPS))], dim=-1).flatten(0, 1)
        shares = torch.cat([1 - share, share], dim=-1).flatten(0, 1).to(rows.dtype)
        along = F.leaky_relu(_weighted_sums(rows.reshape(-1, width), bags, shares), self.slope)
        return along.view(*steps.shape[:3], -1).movedim(-1, 1)

    def _places(self, steps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of taps without an offset, for steps (N, H, W, ...): kept for the next call, which mostly has as many.

        Returns:
            Of every pixel and tap (N H W, S TAPS) its row among those of all padded pixels and taps; and of every tap
            (S TAPS,) how many rows lie between two pixels across its line.
        """
        batch, height, width = steps.shape[:3]
        key = (batch, height, width), steps.device
        if self._kept is not None and self._kept[0] == key and not is_recording():
            return self._kept[1]
        places = _places(*key, self.vertical)
        if not is_recording():
            self._kept = key, places
        return places


def _places(
    size: tuple[int, int, int], device: torch.device, vertical: Sequence[bool]
) -> tuple[torch.Tensor, torch.Tensor]:
    _, height, width = size
    high, wide, count = height + 2 * CENTRE, width + 2 * CENTRE, TAPS * len(vertical)

    def line(steps: int) -> torch.Tensor:
        return torch.arange(steps, dtype=torch.int32, device=device)

    image, row, column = (axis[..., None] for axis in torch.meshgrid(*map(line, size), indexing="ij"))
    first = []
    for number, is_vertical in enumerate(vertical):
        down, right = (line(TAPS), CENTRE) if is_vertical else (CENTRE, line(TAPS))
        pixel = (image * high + row + down) * wide + column + right
        first.append(pixel * count + TAPS * number + line(TAPS))
    stride = [count * (1 if is_vertical else wide) for is_vertical in vertical for _ in range(TAPS)]
    return torch.cat(first, -1).flatten(0, 2), torch.tensor(stride, dtype=torch.int32, device=device)


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


def _sum_of_branches(branches: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Features (N, C, H, W) that are sums of those side by side (N, B C, H, W), weighted at each pixel (N, H, W, B)."""
    size, count = weights.shape[:3], weights.shape[-1]
    rows = branches.movedim(1, -1).reshape(-1, branches.shape[1] // count)
    index = torch.arange(len(rows), dtype=torch.int32, device=rows.device).view(-1, count)
    summed = _weighted_sums(rows, index, weights.reshape(-1, count).to(rows.dtype))
    return summed.view(*size, -1).movedim(-1, 1)


def _weighted_sums(rows: torch.Tensor, index: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sums (B, C) of rows (R, C), by their numbers and weights (B, n)."""
    result: torch.Tensor = F.embedding_bag(index, rows, per_sample_weights=weights, mode="sum")
    return result
