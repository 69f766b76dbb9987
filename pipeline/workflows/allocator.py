"""The C library's memory: large blocks are kept for the next tensor, not given back to the system."""

from __future__ import annotations

import ctypes
import platform

#: parameters of glibc's mallopt(3), and the largest values that they take
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST, _AT_ONCE = 2**31 - 1, 1 << 28


def keep_freed_memory() -> bool:
    """Have freed memory kept by this process.

    By default, glibc asks the system for each block above 32 MiB and gives it back when it is freed. A network on a CPU
    makes and drops such tensors all the time, and spends a third of its time on pages that are cleared anew. PyTorch's
    allocator for GPUs keeps what it has, for the same reason.

    Returns:
        Whether the C library took it; only glibc does.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    values = ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, _AT_ONCE))
    return all(mallopt(parameter, value) == 1 for parameter, value in values)
