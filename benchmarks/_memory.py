"""Peak memory of a piece of work, or of a process."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from pipeline import memory

MEGABYTE = 1e6
#: the profiler's library logs its starts and missing GPUs, unless its level is above that of errors
os.environ.setdefault("KINETO_LOG_LEVEL", "99")


def peak_memory(work: Callable[[], object], device: torch.device) -> float:
    """Peak memory (MB) that PyTorch's allocator hands out during a piece of work, beyond what is there before it.

    Weights and inputs are there before. What a library takes for itself (oneDNN's or cuDNN's own buffers) is not seen.

    Args:
        work: has run before, so that it makes nothing that stays.
        device: where it runs, a CUDA device or the CPU.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return (torch.cuda.max_memory_allocated(device) - before) / MEGABYTE
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak / MEGABYTE


def resident_peak() -> float:
    """Peak resident memory of this process (MB); what the process that started it held does not count."""
    return memory.resident_peak() / MEGABYTE


def own_peak() -> float:
    """`resident_peak` without the pages of files (MB), such as libraries' code, which all processes share."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    shared = sum(int(line[1]) for line in lines if line[0] in ("RssFile:", "RssShmem:"))
    return resident_peak() - shared * 1024 / MEGABYTE


def alone(work: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """What `work` returns in a new process, which has not held anything before, with huge pages as commands have."""
    os.environ.setdefault(memory.HUGE_PAGES, "1")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()
