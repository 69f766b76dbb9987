"""`torch.export`: a file of the graph that PyTorch runs without this package, and that AOTInductor compiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from pipeline.workflows.export.graph import ExportSource, Inputs


def write(source: ExportSource, path: Path, about: str) -> None:
    """Write the exported program, with `about` (JSON) as its extra file `about.json`."""
    torch.export.save(source.program, path, extra_files={"about.json": about})


def load(path: Path) -> Callable[[Inputs], torch.Tensor]:
    """The file as a function of its inputs, as a user would load it."""
    module = torch.export.load(path).module()
    return lambda inputs: module(**inputs)
