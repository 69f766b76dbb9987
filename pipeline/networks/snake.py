"""Dynamic snake convolution: a line of taps that bends across itself, and the values along it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from monai.networks.blocks import Convolution
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pipeline.networks.blocks import ACTIVATION, at_least_single, norm_spec
from pipeline.networks.kernels import is_recording

TAPS = 5
CENTRE = TAPS // 2

#: elements of one slice of x that are worked on together on a CPU: about what its cache holds
_CHUNK = 1 << 19


def sample_along_snake(x: torch.Tensor, offsets: torch.Tensor, vertical: bool = False) -> torch.Tensor:
    """Values of x at the taps of a line that is bent across itself.

    Tap k of the horizontal line centred on (row, column) reads x at (row + offsets[k], column + k - CENTRE), of the
    vertical line at (row + k - CENTRE, column + offsets[k]). Along the line the taps lie on the grid, so that only the
    coordinate across it needs (linear) interpolation. Coordinates beyond the border are clamped to it.

    A tap d pixels along the line from the centre is at most d pixels across it, as neighbouring taps differ by one step
    of at most one pixel. Linear interpolation over these few pixels is a sum of shifted maps with no gather, the same
    for every pixel: `x[i] + sum_j clamp(o - j, 0, 1) (x[i + j + 1] - x[i + j])` for those on one side, and alike for
    those on the other.

    Args:
        x: (N, C, H, W).
        offsets: in pixels, (N, TAPS, H, W), `|offsets[:, k]| <= |k - CENTRE|`.
        vertical: the line runs along the height and bends sideways; else along the width.

    Returns:
        (N, C, TAPS, H, W).
    """
    # a compiler fuses the plain sum; step by step, it would write each term to memory
    if is_recording():
        return _sum_of_shifts(x, offsets, vertical)
    # a GPU computes a term in less time than it takes to launch it: on an H200 the sum in place took four times as long
    if x.device.type == "cuda":
        return _on_grid(x, offsets, vertical)
    if x.device.type != "cpu":  # grid sampling lacks its backward on some
        return _sum_of_shifts(x, offsets, vertical)
    with torch.autocast("cpu", enabled=False):  # it would take each term to float32 and back
        # maps are worked on one by one: all of a map together, not all channels of a pixel
        sampled: torch.Tensor = _ChunkedSum.apply(x.contiguous(), offsets.contiguous(), vertical)
    return sampled


class _Term(NamedTuple):
    """One shifted difference map of the sum.

    Attributes:
        tap: k, which is also where the padded map is first read along the line.
        across: where the padded difference map is first read across the line.
        coefficient: how much of the difference is added, (N, 1, H, W) in [-1, 1].
        position: of the tap from one of the two pixels, (N, 1, H, W) in pixels.
        start: the offset acts on the term where the position is within [start, start + 1).
    """

    tap: int
    across: int
    coefficient: torch.Tensor
    position: torch.Tensor
    start: int


def _terms(offsets: torch.Tensor, dtype: torch.dtype) -> Iterator[_Term]:
    for tap in range(TAPS):
        offset = offsets[:, tap : tap + 1]
        for j in range(abs(tap - CENTRE)):
            below, above = offset - j, offset + j
            yield _Term(tap, CENTRE + j, below.clamp(0, 1).to(dtype), below, 0)
            yield _Term(tap, CENTRE - 1 - j, above.clamp(-1, 0).to(dtype), above, -1)


class _Windows:
    """Windows (H, W) of padded maps and of their differences, by their place along and across the line.

    Args:
        size: H and W.
        vertical: the line runs along the height.
    """

    def __init__(self, size: Sequence[int], vertical: bool) -> None:
        self.size = size
        self.vertical = vertical

    def __call__(self, along: int, across: int = CENTRE) -> tuple[slice, ...]:
        """The window as an index of (N, C, H + ..., W + ...)."""
        places = (along, across) if self.vertical else (across, along)
        return slice(None), slice(None), *(slice(i, i + side) for i, side in zip(places, self.size, strict=True))

    def neighbours(self, padded: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The padded maps without their last, and without their first, line of pixels across the snake's line."""
        if self.vertical:
            return padded[..., :-1], padded[..., 1:]
        return padded[:, :, :-1], padded[:, :, 1:]

    def differences(self, padded: torch.Tensor) -> torch.Tensor:
        """Each pixel of the padded maps from the one before it, across the line."""
        before, after = self.neighbours(padded)
        return after - before


def _replicate(x: torch.Tensor) -> torch.Tensor:
    """x (N, C, H, W) with its border repeated CENTRE times; the backward of replicate padding can't be compiled."""
    top, bottom = x[:, :, :1].expand(-1, -1, CENTRE, -1), x[:, :, -1:].expand(-1, -1, CENTRE, -1)
    x = torch.cat([top, x, bottom], dim=2)
    left, right = x[..., :1].expand(-1, -1, -1, CENTRE), x[..., -1:].expand(-1, -1, -1, CENTRE)
    return torch.cat([left, x, right], dim=3)


def _sum_of_shifts(x: torch.Tensor, offsets: torch.Tensor, vertical: bool = False) -> torch.Tensor:
    window = _Windows(x.shape[2:], vertical)
    padded = _replicate(x)
    differences = window.differences(padded)
    taps = [padded[window(tap)] for tap in range(TAPS)]
    for tap, across, coefficient, *_ in _terms(offsets, x.dtype):
        taps[tap] = taps[tap] + coefficient * differences[window(tap, across)]
    return torch.stack(taps, dim=2)


def _on_grid(x: torch.Tensor, offsets: torch.Tensor, vertical: bool = False) -> torch.Tensor:
    """By PyTorch's bilinear sampling, in few steps: along the line, taps lie on the grid but for rounding."""
    height, width = x.shape[2:]

    def line(start: float, end: float, steps: int) -> torch.Tensor:
        return torch.linspace(start, end, steps, dtype=offsets.dtype, device=offsets.device)

    # centres of pixels from -1 to 1 (align_corners=False), which a side of one pixel has too
    rows = line(1 / height - 1, 1 - 1 / height, height).view(height, 1)
    columns = line(1 / width - 1, 1 - 1 / width, width)
    reach = 2 * CENTRE / (height if vertical else width)
    taps = line(-reach, reach, TAPS).view(TAPS, 1, 1)
    if vertical:
        rows, columns = rows + taps, torch.add(columns, offsets, alpha=2 / width)
    else:
        rows, columns = torch.add(rows, offsets, alpha=2 / height), columns + taps
    grid = torch.stack(torch.broadcast_tensors(columns, rows), dim=-1).flatten(1, 2)
    sampled = F.grid_sample(x.to(grid.dtype), grid, padding_mode="border", align_corners=False)
    return sampled.unflatten(2, (TAPS, height)).to(x.dtype)


class _ChunkedSum(torch.autograd.Function):
    """The same sum in place, a part of the samples and channels at a time, that a CPU's cache holds.

    Keeps x and the offsets for the backward pass, and nothing else.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, offsets: torch.Tensor, vertical: bool) -> torch.Tensor:
        batch, channels, height, width = x.shape
        window = _Windows((height, width), vertical)
        terms = list(_terms(offsets, x.dtype))
        out = x.new_empty(batch, channels, TAPS, height, width)
        for samples, part in _chunks(x):
            padded = F.pad(x[samples, part], (CENTRE,) * 4, mode="replicate")
            differences = window.differences(padded)
            taps = out[samples, part].unbind(2)
            # what a tap starts from: x itself, then what its earlier terms came to
            sums = [padded[window(tap)] for tap in range(TAPS)]
            taps[CENTRE].copy_(sums[CENTRE])
            for tap, across, coefficient, *_ in terms:
                difference = differences[window(tap, across)]
                sums[tap] = torch.addcmul(sums[tap], coefficient[samples], difference, out=taps[tap])
        ctx.save_for_backward(x, offsets)
        ctx.window = window
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        x, offsets = ctx.saved_tensors
        window: _Windows = ctx.window
        batch, _, height, width = x.shape
        terms = list(_terms(offsets, x.dtype))
        to_x = torch.empty_like(x)
        to_coefficients = offsets.new_zeros(len(terms), batch, height, width)
        for samples, part in _chunks(x):
            padded = F.pad(x[samples, part], (CENTRE,) * 4, mode="replicate")
            differences = window.differences(padded)
            taps = gradient[samples, part].unbind(2)
            to_padded, to_differences = torch.zeros_like(padded), torch.zeros_like(differences)
            product = torch.empty_like(x[samples, part], memory_format=torch.contiguous_format)
            for tap in range(TAPS):
                to_padded[window(tap)] += taps[tap]
            for i, (tap, across, coefficient, *_) in enumerate(terms):
                place = window(tap, across)
                to_differences[place].addcmul_(coefficient[samples], taps[tap])
                torch.mul(taps[tap], differences[place], out=product)
                to_coefficients[i, samples] += product.sum(1, dtype=offsets.dtype)
            before, after = window.neighbours(to_padded)
            after += to_differences
            before -= to_differences
            to_x[samples, part] = _fold_border(to_padded)
        to_offsets = torch.zeros_like(offsets)
        for (tap, _, _, position, start), part_of_offset in zip(terms, to_coefficients, strict=True):
            between = (position >= start) & (position < start + 1)
            to_offsets[:, tap] += part_of_offset.where(between[:, 0], 0)
        return to_x, to_offsets, None


def _chunks(x: torch.Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of samples and channels."""
    batch, channels, height, width = x.shape
    together = max(1, _CHUNK // (height * width))
    samples = max(1, together // channels)
    for first in range(0, batch, samples):
        for channel in range(0, channels, together):
            yield slice(first, first + samples), slice(channel, channel + together)


def _fold_border(gradient: torch.Tensor) -> torch.Tensor:
    """The backward of the padding, in place: what went to a copy of the border goes to the border."""
    for axis in (2, 3):
        size = gradient.shape[axis] - 2 * CENTRE
        before, inside, after = gradient.split([CENTRE, size, CENTRE], dim=axis)
        inside.select(axis, 0).add_(before.sum(axis))
        inside.select(axis, size - 1).add_(after.sum(axis))
        gradient = inside
    return gradient


def snake_offsets(steps: torch.Tensor) -> torch.Tensor:
    """Offsets of the taps across the line, accumulated from the centre outwards.

    Neighbouring taps differ by one step of at most one pixel, so the line stays connected.

    Args:
        steps: (N, TAPS - 1, H, W) in (-1, 1): the taps before the centre in order, then those after it.

    Returns:
        Offsets in pixels (N, TAPS, H, W); the centre's is zero.
    """
    maps = steps.split(1, dim=1)
    before = list(accumulate(reversed(maps[:CENTRE]), torch.add))
    after = list(accumulate(maps[CENTRE:], torch.add))
    return torch.cat([*reversed(before), torch.zeros_like(maps[0]), *after], dim=1)


class SnakeConvolution(nn.Module):
    """Dynamic snake convolution of five taps (Qi et al., ICCV 2023), horizontal or vertical.

    A 3x3 convolution predicts the line's steps, bounded by tanh; the taps' values are weighted by one convolution,
    then norm and activation. The published norm is `group`.
    """

    def __init__(self, channels: int, vertical: bool, norm: str) -> None:
        super().__init__()
        self.vertical = vertical
        self.to_steps = Convolution(
            2, channels, TAPS - 1, kernel_size=3, act="tanh", norm=norm_spec(norm, TAPS - 1), bias=False
        )
        self.weigh_taps = Convolution(
            2, channels * TAPS, channels, kernel_size=1, act=ACTIVATION, norm=norm_spec(norm, channels), bias=False
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve x (N, C, H, W) along the snakes."""
        offsets = snake_offsets(at_least_single(self.to_steps(x)))
        return self.weigh_taps(sample_along_snake(x, offsets, self.vertical).flatten(1, 2))
