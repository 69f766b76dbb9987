"""The formats that a network is exported to, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch

from pipeline.errors import UserError
from pipeline.names import check_name
from pipeline.workflows.export import onnx_file, torch_export, torchscript
from pipeline.workflows.export.graph import ExportSource, Inputs


class ExportFormat(NamedTuple):
    """One way to write a graph.

    Attributes:
        file: name of the file.
        write: writes a source to a path, with a JSON text about it inside.
        load: a written file as a function of the graph's inputs, as its users would load it.
        needs: packages beyond those that every installation has.
    """

    file: str
    write: Callable[[ExportSource, Path, str], None]
    load: Callable[[Path], Callable[[Inputs], torch.Tensor]]
    needs: tuple[str, ...] = ()


FORMATS = {
    "torch_export": ExportFormat("model.pt2", torch_export.write, torch_export.load),
    "onnx": ExportFormat("model.onnx", onnx_file.write, onnx_file.load, ("onnx", "onnxscript", "onnxruntime")),
    "torchscript": ExportFormat("model.ts", torchscript.write, torchscript.load),
}


def check_formats(names: str | Iterable[str]) -> tuple[str, ...]:
    """The formats that a user asked for, each once.

    Args:
        names: a list, or names separated by commas.

    Raises:
        UserError: no format or an unknown one, or one whose packages are not installed.
    """
    names = names.split(",") if isinstance(names, str) else names
    chosen = tuple(dict.fromkeys(check_name("format", str(name).strip(), FORMATS) for name in names))
    if not chosen:
        raise UserError(f"--formats is empty: give one or more of {', '.join(FORMATS)}")
    for name in chosen:
        missing = [package for package in FORMATS[name].needs if find_spec(package) is None]
        if missing:
            raise UserError(
                f"--formats {name} needs {', '.join(missing)}: install vlsenet with the extra `export` "
                "(pip install '.[export]'), or remove this format"
            )
    return chosen
