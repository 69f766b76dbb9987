"""ONNX, by PyTorch's exporter that starts from `torch.export`; run by ONNX Runtime."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from pipeline.workflows.export.graph import OUTPUT, ExportSource, Inputs

#: The first with all operators that the graph needs; every runtime in use reads it.
OPSET = 18


def write(source: ExportSource, path: Path, about: str) -> None:
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


def load(path: Path) -> Callable[[Inputs], torch.Tensor]:
    """The file as a function of its inputs, run by ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(inputs: Inputs) -> torch.Tensor:
        (probability,) = session.run([OUTPUT], {name: value.numpy() for name, value in inputs.items()})
        return torch.from_numpy(probability)

    return run
