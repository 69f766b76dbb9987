"""Whether a forward pass computes, or is being written down."""

from __future__ import annotations

import torch


def is_recording() -> bool:
    """Whether this pass is recorded as a graph, by a compiler, an exporter or a tracer.

    A graph has to hold for other sizes and batches too, and whoever runs it fuses its operations; a pass that just
    computes may look at its tensors and take the kernels that are fastest for them.
    """
    return bool(torch.compiler.is_compiling() or torch.jit.is_tracing())
