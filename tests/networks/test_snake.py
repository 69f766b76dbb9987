from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from pipeline.networks import snake as snake_sampling
from pipeline.networks.snake import CENTRE, TAPS, SnakeConvolution, sample_along_snake, snake_offsets

#: the form for a CPU's eager mode, the one that a compiler is given, and that for accelerators
FORMS = pytest.mark.parametrize("sample", [sample_along_snake, snake_sampling._sum_of_shifts, snake_sampling._on_grid])


def brute_force(x: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The definition, one value at a time, in scalars that autograd follows."""
    batch, channels, height, width = x.shape
    values = []
    for n in range(batch):
        for c in range(channels):
            for k in range(TAPS):
                for i in range(height):
                    for j in range(width):
                        row = i + offsets[n, k, i, j]
                        if not 0 <= row <= height - 1:
                            row = row.detach().clamp(0, height - 1)
                        column = min(max(j + k - TAPS // 2, 0), width - 1)
                        low = math.floor(row.item())
                        high = min(low + 1, height - 1)
                        weight = row - low
                        values.append((1 - weight) * x[n, c, low, column] + weight * x[n, c, high, column])
    return torch.stack(values).view(batch, channels, TAPS, height, width)


def turned(sample: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The vertical form of a way to sample, by way of the transposed image: it has to equal the horizontal one."""

    def vertically(x: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        return sample(x.transpose(2, 3), offsets.transpose(2, 3), vertical=True).transpose(3, 4)

    return vertically


def random_case(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(shape))
    x = torch.randn(*shape, generator=generator, dtype=torch.float64)
    # anywhere in reach; never exactly on the grid, where the interpolation has no derivative
    steps = torch.rand(shape[0], TAPS - 1, *shape[2:], generator=generator, dtype=torch.float64) * 2 - 1
    offsets = snake_offsets(steps)
    offsets[:, CENTRE] = 0
    return x.requires_grad_(), offsets.requires_grad_()


@FORMS
@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("shape", [(2, 2, 4, 5), (1, 2, 1, 6), (1, 2, 6, 1), (1, 1, 1, 1), (1, 1, 2, 2)])
def test_sampling_against_brute_force(
    sample: Callable[..., torch.Tensor], vertical: bool, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snake_sampling, "_CHUNK", 4)  # several chunks
    if vertical:
        sample = turned(sample)

    x, offsets = random_case(*shape)
    ours, reference = sample(x, offsets), brute_force(x, offsets)
    torch.testing.assert_close(ours, reference, rtol=0, atol=1e-12)

    weight = torch.randn(ours.shape, dtype=torch.float64)
    for got, expected in zip(
        torch.autograd.grad((ours * weight).sum(), (x, offsets)),
        torch.autograd.grad((reference * weight).sum(), (x, offsets), materialize_grads=True),
        strict=True,
    ):
        got, expected = (g[:, [0, 1, 3, 4]] if g.shape == offsets.shape else g for g in (got, expected))
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


@FORMS
@pytest.mark.parametrize("vertical", [False, True])
def test_sampling_against_grid_sample(sample: Callable[..., torch.Tensor], vertical: bool) -> None:
    if vertical:
        sample = turned(sample)
    x, offsets = random_case(2, 3, 9, 7)
    rows = torch.arange(9, dtype=torch.float64).view(9, 1) + offsets
    columns = (torch.arange(7, dtype=torch.float64) + torch.arange(-2, 3).view(TAPS, 1, 1)).expand_as(rows)
    grid = torch.stack([2 * columns / 6 - 1, 2 * rows / 8 - 1], dim=-1).flatten(1, 2)
    expected = F.grid_sample(x, grid, padding_mode="border", align_corners=True).unflatten(2, (TAPS, 9))
    torch.testing.assert_close(sample(x, offsets), expected, rtol=0, atol=1e-12)


def test_offsets_are_accumulated_from_the_centre_outwards() -> None:
    steps = torch.tensor([0.1, 0.2, 0.4, 0.8]).view(1, 4, 1, 1)
    torch.testing.assert_close(snake_offsets(steps).flatten(), torch.tensor([0.3, 0.2, 0.0, 0.4, 1.2]))


def test_without_offsets_it_is_a_plain_line_convolution() -> None:
    torch.manual_seed(0)
    layer = SnakeConvolution(4, vertical=False, norm="batch").eval()
    torch.nn.init.zeros_(layer.to_steps.conv.weight)
    x = torch.randn(2, 4, 6, 8)
    kernel = layer.weigh_taps.conv.weight.view(4, 4, 1, TAPS)
    line = F.conv2d(F.pad(x, (2, 2, 0, 0), mode="replicate"), kernel)
    expected = layer.weigh_taps.adn(line)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_vertical_is_the_transpose_of_horizontal() -> None:
    torch.manual_seed(0)
    horizontal = SnakeConvolution(4, vertical=False, norm="batch").eval()
    vertical = SnakeConvolution(4, vertical=True, norm="batch").eval()
    state = horizontal.state_dict()
    state["to_steps.conv.weight"] = state["to_steps.conv.weight"].transpose(2, 3)
    vertical.load_state_dict(state)
    x = torch.randn(2, 4, 6, 9)
    torch.testing.assert_close(vertical(x.transpose(2, 3)).transpose(2, 3), horizontal(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("offset", [-1e-9, 1e-9])
def test_a_tiny_offset_has_a_gradient(offset: float) -> None:
    """In float32, of which one more pixel takes all digits of such an offset."""
    torch.manual_seed(0)
    x = torch.randn(1, 2, 6, 5)
    slopes = []
    for sample in (sample_along_snake, snake_sampling._sum_of_shifts):
        offsets = torch.full((1, TAPS, 6, 5), offset, requires_grad=True)
        slopes.append(torch.autograd.grad(sample(x, offsets).square().sum(), offsets)[0][:, 0])
    torch.testing.assert_close(*slopes)
