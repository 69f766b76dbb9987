"""Compares an exported file with the network in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pipeline.errors import UserError, first_line
from pipeline.workflows.export.graph import ExportSource, Inputs

#: Largest difference of probability that passes.
TOLERANCE = 1e-4
#: N, H, W: smallest, odd, thin and wide sizes; none is the size that was traced.
CHECKED_SIZES = ((1, 16, 16), (1, 64, 64), (3, 37, 51), (1, 17, 200), (2, 128, 96))


def verify(source: ExportSource, run: Callable[[Inputs], torch.Tensor], file: str) -> dict[str, float]:
    """Compare an exported graph with the network at several sizes.

    Args:
        source: what was exported.
        run: the written file as a function of its inputs.
        file: its name, for messages.

    Returns:
        Largest difference of probability at each size `NxHxW`.

    Raises:
        UserError: it fails at a size, or differs by more than the tolerance.
    """
    differences = {}
    for size in CHECKED_SIZES:
        inputs = source.inputs(*size)
        name = "x".join(map(str, size))
        with torch.no_grad():
            expected = source.graph(**inputs)
            try:
                probability = run(inputs)
            except Exception as error:  # each runtime has its own errors
                raise _refused(file, f"fails on images of {name} ({first_line(error)})") from error
        if probability.shape != expected.shape:
            raise _refused(file, f"returns shape {tuple(probability.shape)} for images of {name}")
        differences[name] = float((probability - expected).abs().max())
        if not differences[name] <= TOLERANCE:
            raise _refused(file, f"differs from PyTorch by {differences[name]:.1e} on images of {name}")
    return differences


def _refused(file: str, what: str) -> UserError:
    return UserError(f"{file} was not written: the exported network {what}; remove its format from --formats")
