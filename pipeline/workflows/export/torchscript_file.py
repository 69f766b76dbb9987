"""A network as TorchScript, by MONAI's `ckpt_export` where it can."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import monai.bundle
import torch
from monai.data import save_net_with_metadata
from monai.networks.utils import convert_to_torchscript

from pipeline.workflows.export.exported_graph import TRACED_SIZE, ExportSource, Inputs


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


def load_torchscript(file: Path | BytesIO) -> Callable[[Inputs], torch.Tensor]:
    """The file, or its bytes, as a function of its inputs."""
    with _quiet():
        module = torch.jit.load(str(file) if isinstance(file, Path) else file)
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
        "_target_": f"pipeline.workflows.export.{type(source.graph).__name__}",
        "network": {"_target_": "pipeline.networks.build_network", **source.model.network_settings},
    }
    if source.reads_text:
        shapes = {"text": source.features.text.shape, "tokens": source.features.tokens.shape}
        zeros = {name: {"_target_": "torch.zeros", "size": list(shape)} for name, shape in shapes.items()}
        config["features"] = {"_target_": "pipeline.text.TextFeatures", **zeros}
    return config
