"""Where the time of inference goes: operations and bytes of both networks against what this machine does.

    python benchmarks/roofline.py --size 512

Every step of the form for inference is counted: the operations of convolutions and products of matrices, and the bytes
of what it reads and writes, as if nothing stayed in a cache from step to step. The machine's own speeds are those of a
3x3 convolution of 64 channels, in the networks' precision, and of adding two arrays that fit into no cache. No step is
faster than the slower of the two; the bound is the sum over all steps. What is above it is the cost of asking for a
step, and of kernels that use less than the machine has.
"""

from __future__ import annotations

from typing import Any

import torch
from _timing import chosen_device, common_arguments, interleaved, machine, ratios, shown, spread, write_json
from networks import make, work_of
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.engine.precision import has_fast_bfloat16
from pipeline.networks import NETWORKS

#: side of the convolution's image (px), and numbers in each of the two arrays (larger than caches), and turns
_SIDE, _NUMBERS, _TURNS = 256, 1 << 26, 25


class Steps(TorchDispatchMode):
    """Operations and bytes of each step of what runs within it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given, made = _tensors(args), _tensors((result,))
        if not func.is_view:
            self.found.append((_operations(func.__name__, given, made), sum(map(_bytes, [*given, *made]))))
        return result


def _tensors(values: Any) -> list[torch.Tensor]:
    flat = [part for one in values for part in (one if isinstance(one, (list, tuple)) else [one])]
    return [one for one in flat if isinstance(one, torch.Tensor)]


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _operations(name: str, given: list[torch.Tensor], made: list[torch.Tensor]) -> int:
    """Of a convolution or product of matrices, two for each product; others count by their bytes alone."""
    if "convolution" in name:
        weight = given[2 if "binary" in name else 1]  # behind what is added or multiplied
        return 2 * made[0].numel() * weight[0].numel()
    if name.startswith(("mm", "bmm", "addmm")):
        return 2 * made[0].numel() * given[-1].shape[-2]
    return 0


def speeds() -> tuple[float, float]:
    """Operations in a second of a convolution, and bytes in a second of an addition: the best of some turns."""
    precision = torch.bfloat16 if has_fast_bfloat16("cpu") else torch.float32
    image = torch.randn(1, 64, _SIDE, _SIDE).to(precision, memory_format=torch.channels_last)
    kernel = torch.randn(64, 64, 3, 3).to(precision, memory_format=torch.channels_last)
    first, second, total = (torch.zeros(_NUMBERS) for _ in range(3))
    work = {
        "convolution": lambda: torch.conv2d(image, kernel, padding=1),
        "addition": lambda: torch.add(first, second, out=total),
    }
    least = {name: min(times) for name, times in interleaved(work, _TURNS, torch.device("cpu")).items()}
    return 2 * image.numel() * 64 * 9 / least["convolution"], 3 * _bytes(total) / least["addition"]


def main() -> None:
    """Count, measure in turns, and print."""
    parser = common_arguments(__doc__)
    parser.add_argument("--preset", default="small", help="widths")
    options = parser.parse_args()
    options.device = "cpu"
    device = chosen_device(options)
    where = machine(device)
    fast, wide = speeds()
    print(f"{where}\n{fast / 1e9:.0f} GFLOP and {wide / 1e9:.1f} GB a second", flush=True)
    work, steps = {}, {}
    for name in NETWORKS:
        network, inputs = make(name, options.preset, options.norm, options.batch, options.size, "cpu")
        work[name] = work_of("inference", network, inputs)
        work[name]()
        with Steps() as counted:
            work[name]()
        steps[name] = counted.found
    times = interleaved(work, options.repeats, device)
    result: dict[str, Any] = {"ratio": ratios(times["vlsenet"], times["unet"])}
    for name, found in steps.items():
        bounds = {
            "operations": sum(number for number, _ in found) / fast,
            "bytes": sum(size for _, size in found) / wide,
            "the slower of both in each step": sum(max(number / fast, size / wide) for number, size in found),
        }
        result[name] = {"steps": len(found), "bounds": bounds, "seconds": spread(times[name])}
        counts = f"{sum(one for one, _ in found) / 1e9:.1f} GFLOP, {sum(one for _, one in found) / 1e6:.0f} MB"
        print(f"{name}: {len(found)} steps, {counts}: {shown(result[name]['seconds'], 1e3, 0)} ms; at least ", end="")
        print(", ".join(f"{1e3 * value:.0f} ms by {which}" for which, value in bounds.items()), flush=True)
    print(f"ratio {shown(result['ratio'])}")
    if options.output:
        write_json(options.output, {"machine": where, "results": result})


if __name__ == "__main__":
    main()
