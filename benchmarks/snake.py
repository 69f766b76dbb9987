"""Sampling along a snake: this package's form against the full two-dimensional `grid_sample`, in one run.

    python benchmarks/snake.py

Forward and backward pass together, eager and compiled, in interleaved repeats; and the memory that each keeps for the
backward pass. The same values and gradients are checked first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import pandas as pd
import torch
from torch.nn import functional as F

from pipeline.memory import keep_freed_memory
from pipeline.networks.snake import CENTRE, TAPS, sample_along_snake, snake_offsets

Sampler = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def sample_by_grid(x: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The baseline: all taps by bilinear sampling in both directions, as DSCNet and the published VLSE-Net do.

    Args and result as those of `sample_along_snake`.
    """
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device).view(height, 1) + offsets
    taps = torch.arange(-CENTRE, CENTRE + 1, device=x.device).view(TAPS, 1, 1)
    columns = (torch.arange(width, device=x.device) + taps).to(x.dtype).expand_as(rows)
    grid = torch.stack([2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1], dim=-1).flatten(1, 2)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=True).unflatten(2, (TAPS, height))


def seconds(sample: Sampler, x: torch.Tensor, steps: torch.Tensor, gradient: torch.Tensor) -> float:
    """Time of one forward and backward pass."""
    x, steps = (tensor.detach().requires_grad_() for tensor in (x, steps))
    _wait(x.device)
    started = time.perf_counter()
    sample(x, snake_offsets(steps)).backward(gradient)
    _wait(x.device)
    return time.perf_counter() - started


def kept_megabytes(sample: Sampler, x: torch.Tensor, steps: torch.Tensor) -> float:
    """Memory of the distinct tensors that the forward pass keeps for the backward pass (MiB)."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    x, steps = (tensor.detach().requires_grad_() for tensor in (x, steps))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = sample(x, snake_offsets(steps))
    del result
    return sum(kept.values()) / 2**20


def check(sample: Sampler) -> None:
    """Values and gradients of a sampler against the baseline, in double precision.

    Raises:
        AssertionError: they differ.
    """
    torch.manual_seed(0)
    x = torch.randn(2, 3, 9, 11, dtype=torch.float64, requires_grad=True)
    steps = (torch.rand(2, TAPS - 1, 9, 11, dtype=torch.float64) * 2 - 1).requires_grad_()
    results = []
    for form in (sample_by_grid, sample):
        taps = form(x, snake_offsets(steps))
        results.append((taps, *torch.autograd.grad(taps.square().sum(), (x, steps))))
    for expected, got in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-11)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(shape: tuple[int, ...], device: str, repeats: int, modes: list[str]) -> pd.DataFrame:
    """A row for each mode and form."""
    x = torch.randn(shape, device=device)
    steps = torch.randn(shape[0], TAPS - 1, *shape[2:], device=device).tanh()
    gradient = torch.randn(shape[0], shape[1], TAPS, *shape[2:], device=device)
    rows = []
    for mode in modes:
        forms: dict[str, Sampler] = {"grid_sample": sample_by_grid, "this package": sample_along_snake}
        if mode == "compiled":
            forms = {name: torch.compile(form, dynamic=False) for name, form in forms.items()}
        times: dict[str, list[float]] = {name: [] for name in forms}
        for repeat in range(repeats + 2):  # two to warm up
            for name, form in forms.items():
                taken = seconds(form, x, steps, gradient)
                if repeat >= 2:
                    times[name].append(taken)
        for name, form in forms.items():
            quartiles = pd.Series(times[name]).quantile([0.25, 0.5, 0.75]) * 1e3
            ratios = pd.Series(times["grid_sample"]) / pd.Series(times[name])
            row = {"mode": mode, "form": name, "median ms": quartiles[0.5]}
            row |= {"quartiles": f"{quartiles[0.25]:.0f} - {quartiles[0.75]:.0f}", "times faster": ratios.median()}
            rows.append({**row, "kept MiB": kept_megabytes(form, x, steps) if mode == "eager" else float("nan")})
    return pd.DataFrame(rows)


def main() -> None:
    """Check, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=4, default=[4, 64, 128, 128], help="N C H W")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--modes", nargs="+", choices=["eager", "compiled"], default=["eager", "compiled"])
    parser.add_argument("--threads", type=int, help="CPU threads; default: PyTorch's choice")
    options = parser.parse_args()
    keep_freed_memory()  # as the commands do
    if options.threads:
        torch.set_num_threads(options.threads)
    check(sample_along_snake)
    table = measure(tuple(options.shape), options.device, options.repeats, options.modes)
    print(f"torch {torch.__version__}, {options.device}, {torch.get_num_threads()} threads, N C H W {options.shape}")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))


if __name__ == "__main__":
    main()
