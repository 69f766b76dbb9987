"""How much memory a process takes at its peak, and how the C library keeps what was freed."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: parameters of glibc's mallopt(3), and the largest values that they take
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST, _AT_ONCE = 2**31 - 1, 1 << 28
#: by this, set before PyTorch is loaded, it asks for huge pages (2 MiB) for its tensors
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"
#: whether the system gives them: "always [madvise] never"
_GIVEN = Path("/sys/kernel/mm/transparent_hugepage/enabled")
#: with huge pages, blocks from this size on (bytes) are given back: maps of large windows, but not those of training
_GIVEN_BACK = 20 << 20


def keep_freed_memory() -> bool:
    """Have freed memory kept by this process.

    By default, glibc asks the system for each block above 32 MiB and gives it back when it is freed. A network on a CPU
    makes and drops such tensors all the time, and spends a third of its time on pages that are cleared anew. PyTorch's
    allocator for GPUs keeps what it has, for the same reason.

    What is kept falls into pieces: windows of several sizes take three times the memory of one. In huge pages, which
    are cleared as fast as they are used, large blocks are given back: a scan takes a gigabyte less in the same time.

    Returns:
        Whether the C library took it; only glibc does.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    values = ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, _AT_ONCE))
    if _has_huge_pages():
        values = ((_MMAP_THRESHOLD, _GIVEN_BACK), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, 0))
    return all(mallopt(parameter, value) == 1 for parameter, value in values)


def _has_huge_pages() -> bool:
    return os.environ.get(HUGE_PAGES) == "1" and _GIVEN.is_file() and "[never]" not in _GIVEN.read_text()


def resident_peak() -> int:
    """Peak resident memory of this process so far (bytes); what the process that started it held does not count."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage has the peak of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_memory() -> int:
    """Peak memory of this process so far (bytes).

    That of PyTorch's allocator on the GPU where the process used one, else the resident memory, which holds the
    libraries too (some 0.5 GB).
    """
    if torch.cuda.is_available() and (allocated := torch.cuda.max_memory_allocated()):
        return int(allocated)
    return resident_peak()


def peak_bytes(work: Callable[[], object]) -> int:
    """Most bytes of tensors that `work` made and held at one time.

    Every operation's results are counted while they are alive, on whatever device; what a kernel takes for itself in
    its course is not. Inference only: what autograd keeps is seen only where it is a result.
    """
    with torch.no_grad(), _Storages() as storages:
        work()
    return storages.peak


class _Storages(TorchDispatchMode):
    """Adds up the memory of the tensors that are alive while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self._known: dict[int, weakref.finalize] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        place = storage._cdata
        if place in self._known and self._known[place].alive:
            return
        size = storage.nbytes()
        self._known[place] = weakref.finalize(storage, self._gone, place, size)
        self.alive += size
        self.peak = max(self.peak, self.alive)

    def _gone(self, place: int, size: int) -> None:
        self.alive -= size
        del self._known[place]
