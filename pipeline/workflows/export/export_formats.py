"""The formats that a network is exported to, by name: torch.export, ONNX, TorchScript and bioimage.io."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save

from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.text import TextStore
from pipeline.wording import check_name
from pipeline.workflows.export.bioimageio_package import load_bioimageio, write_bioimageio
from pipeline.workflows.export.exported_graph import OUTPUT, ExportSource, Inputs
from pipeline.workflows.export.torchscript_file import load_torchscript, write_torchscript

#: The first with all operators that the graph needs; every runtime in use reads it.
OPSET = 18


def write_text_features(store: TextStore, path: Path) -> None:
    """Write `text` (P, D) and `tokens` (P, L, D) of P prompts; the metadata's `prompts` names them, a JSON list."""
    state = store.state_dict()
    tensors = {name: state[name].contiguous() for name in ("text", "tokens")}
    with atomic_path(path) as partial:
        # safetensors' own files are for their owner alone, whatever the umask
        partial.write_bytes(save(tensors, {"prompts": json.dumps(state["prompts"])}))


def write_torch_export(source: ExportSource, path: Path, about: str) -> None:
    """Write the exported program, with `about` (JSON) as its extra file `about.json`."""
    torch.export.save(source.program, path, extra_files={"about.json": about})


def load_torch_export(path: Path) -> Callable[[Inputs], torch.Tensor]:
    """The file as a function of its inputs, as a user would load_torch_export it."""
    module = torch.export.load(path).module()
    return lambda inputs: module(**inputs)


def write_onnx(source: ExportSource, path: Path, about: str) -> None:
    """Write one file, weights inside, with `about` (JSON) in its metadata."""
    with warnings.catch_warnings():
        # text and tokens share the image's batch, and its name
        warnings.filterwarnings("ignore", message="# The axis name: batch will not be used")
        exported = torch.onnx.export(
            source.program,
            input_names=list(source.axes),
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamic_shapes=source.axes,  # the names of the axes; their sizes are free in the program already
            dynamo=True,
            verbose=False,
        )
    assert exported is not None  # as it is with dynamo=True
    exported.model.metadata_props["about"] = about
    exported.save(path, external_data=False)


def load_onnx(path: Path) -> Callable[[Inputs], torch.Tensor]:
    """The file as a function of its inputs, run by ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(inputs: Inputs) -> torch.Tensor:
        (probability,) = session.run([OUTPUT], {name: value.numpy() for name, value in inputs.items()})
        return torch.from_numpy(probability)

    return run


class ExportFormat(NamedTuple):
    """One way to write a graph.

    Attributes:
        file: name of the file.
        write: writes a source to a path, with a JSON text about it inside.
        load: a written file as a function of the graph's inputs, as its users would load it.
        needs: packages beyond those that every installation has.
        of_whole: whether its graph takes an image for a whole micrograph, and has no input for what lies around it.
    """

    file: str
    write: Callable[[ExportSource, Path, str], None]
    load: Callable[[Path], Callable[[Inputs], torch.Tensor]]
    needs: tuple[str, ...] = ()
    of_whole: bool = False


FORMATS = {
    "torch_export": ExportFormat("model.pt2", write_torch_export, load_torch_export),
    "onnx": ExportFormat("model.onnx", write_onnx, load_onnx, ("onnx", "onnxscript", "onnxruntime")),
    "torchscript": ExportFormat("model.ts", write_torchscript, load_torchscript),
    "bioimageio": ExportFormat(
        "model.bioimageio.zip", write_bioimageio, load_bioimageio, ("bioimageio.spec",), of_whole=True
    ),
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
        missing = [package for package in FORMATS[name].needs if not _is_installed(package)]
        if missing:
            raise UserError(
                f"--formats {name} needs {', '.join(missing)}: install vlsenet with the extra `export` "
                "(pip install '.[export]'), or remove this format"
            )
    return chosen


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the package around it is not there
        return False
