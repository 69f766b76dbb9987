"""Timing that a noisy machine disturbs as little as possible, and what both benchmarks share."""

from __future__ import annotations

import json
import platform
import statistics
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline.files import atomic_path
from pipeline.memory import keep_freed_memory

WARM_UP = 2
#: by which `seconds` measures; `chosen_device` may choose another
_clock: Callable[[], float] = time.perf_counter


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Time of one call by the chosen clock, the device's work included."""
    synchronise(device)
    start = _clock()
    work()
    synchronise(device)
    return _clock() - start


def interleaved(work: Mapping[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, list[float]]:
    """Times (s) of several functions that take turns, so that whatever else the machine does hits all alike.

    Each has been called before the first timed turn, for what is made at a first call.
    """
    for function in work.values():
        for _ in range(WARM_UP):
            function()
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, function in work.items():
            times[name].append(seconds(function, device))
    return times


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, first and third quartile."""
    if len(values) == 1:
        return dict.fromkeys(("median", "first_quartile", "third_quartile"), values[0])
    first, median, third = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "first_quartile": first, "third_quartile": third}


def ratios(times: Sequence[float], reference: Sequence[float]) -> dict[str, float]:
    """Spread of the ratio of two functions' times, turn by turn."""
    return spread([a / b for a, b in zip(times, reference, strict=True)])


def shown(value: Mapping[str, float], scale: float = 1, digits: int = 2) -> str:
    """`median (first quartile to third quartile)`."""
    low, middle, high = (f"{scale * value[key]:.{digits}f}" for key in ("first_quartile", "median", "third_quartile"))
    return f"{middle} ({low} to {high})"


def common_arguments(description: str | None) -> ArgumentParser:
    """The arguments that both benchmarks take."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--size", type=int, default=512, help="side of the images (px)")
    parser.add_argument("--batch", type=int, default=1, help="images at once")
    parser.add_argument("--device", default="auto", help="cpu, cuda:0 ...; auto uses a GPU if there is one")
    parser.add_argument("--repeats", type=int, default=15, help="timed turns")
    parser.add_argument("--norm", choices=("instance", "group", "batch"), default="instance")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count the time of this process's threads, not the clock's: on a CPU that other work shares",
    )
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write the numbers to this file")
    return parser


def chosen_device(arguments: Namespace) -> torch.device:
    """The device that the user named, or a GPU, or the CPU; memory is kept on it as by the commands, and the clock is
    the one asked for."""
    global _clock
    _clock = time.process_time if arguments.processor_time else time.perf_counter
    keep_freed_memory()
    if arguments.device != "auto":
        return torch.device(arguments.device)
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def machine(device: torch.device) -> dict[str, Any]:
    """What the numbers were measured on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "device": str(device),
        "name": name,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write the numbers, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(result, indent=2))
