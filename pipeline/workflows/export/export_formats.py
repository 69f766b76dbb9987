"""The formats that a network is exported to, by name: torch.export, ONNX and TorchScript."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import monai.bundle
import torch
from monai.data import save_net_with_metadata
from monai.networks.utils import convert_to_torchscript
from safetensors.torch import save

from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.text import TextStore
from pipeline.wording import check_name
from pipeline.workflows.export.exported_graph import OUTPUT, TRACED_SIZE, ExportSource, Inputs

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


def write_torchscript(source: ExportSource, path: Path, about: str) -> None:
    """Write a traced graph with `about` (JSON) as its metadata, as MONAI's `load_net_with_metadata` reads it.

    Traced, as scripting fails on the networks. MONAI's `ckpt_export` does it, where it can: it makes up only one input,
    the image. With others, the functions that it is made of do it. PyTorch phases TorchScript out.
    """
    with _quiet():
        _write(source, path, about)


def _write(source: ExportSource, path: Path, about: str) -> None:
    if len(source.axes) > 1:
        inputs = list(source.inputs(*TRACED_SIZE).values())
        traced = convert_to_torchscript(source.graph, inputs=inputs, use_trace=True, check_trace=False)
        save_net_with_metadata(traced, str(path), meta_values=json.loads(about), include_config_vals=False)
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        torch.save({"network": source.graph.state_dict()}, folder / "network.pt")
        (folder / "network.json").write_text(json.dumps({"network_def": _as_config(source)}))
        (folder / "metadata.json").write_text(about)
        batch, height, width = TRACED_SIZE
        monai.bundle.ckpt_export(
            "network_def",
            filepath=str(path),
            ckpt_file=str(folder / "network.pt"),
            meta_file=str(folder / "metadata.json"),
            config_file=str(folder / "network.json"),
            key_in_ckpt="network",
            use_trace=True,
            input_shape=[batch, source.inputs(*TRACED_SIZE)["image"].shape[1], height, width],
            converter_kwargs={"check_trace": False},  # our own check compares other sizes too
        )


def load_torchscript(path: Path) -> Callable[[Inputs], torch.Tensor]:
    """The file as a function of its inputs."""
    with _quiet():
        module = torch.jit.load(str(path))
    return lambda inputs: module(*inputs.values())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without PyTorch's warnings that TorchScript is old, and that checks of the input become constants."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        yield


def _as_config(source: ExportSource) -> dict[str, Any]:
    """The graph as MONAI's config makes it, the weights aside."""
    config: dict[str, Any] = {
        "_target_": "pipeline.workflows.export.PhaseProbability",
        "network": {"_target_": "pipeline.networks.build_network", **source.model.network_settings},
    }
    if source.reads_text:
        shapes = {"text": source.features.text.shape, "tokens": source.features.tokens.shape}
        zeros = {name: {"_target_": "torch.zeros", "size": list(shape)} for name, shape in shapes.items()}
        config["features"] = {"_target_": "pipeline.text.TextFeatures", **zeros}
    return config


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
    "torch_export": ExportFormat("model.pt2", write_torch_export, load_torch_export),
    "onnx": ExportFormat("model.onnx", write_onnx, load_onnx, ("onnx", "onnxscript", "onnxruntime")),
    "torchscript": ExportFormat("model.ts", write_torchscript, load_torchscript),
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
