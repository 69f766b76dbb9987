"""Loads Triton's library beside that of a window's OpenGL, of which each brings an LLVM of its own.

Mesa draws by LLVM (without a graphics card, and on AMD's). Where it was loaded first, Triton, which comes with PyTorch
for CUDA, takes Mesa's functions for its own and crashes. RTLD_DEEPBIND has it prefer its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys


def load_triton_apart() -> None:
    """Load Triton with its own LLVM, if it is installed and not loaded yet; call it before PyTorch is loaded."""
    own_first = getattr(os, "RTLD_DEEPBIND", None)  # of glibc
    if own_first is None or "triton" in sys.modules or importlib.util.find_spec("triton") is None:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | own_first)
    try:
        importlib.import_module("triton._C.libtriton")
    except ImportError:
        pass  # of another version: PyTorch says what it lacks, if it does
    finally:
        sys.setdlopenflags(flags)
