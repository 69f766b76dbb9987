"""A network as a package of bioimage.io: TorchScript, a description by its specification, test tensors and a README.

One network answers one text, which is built in. What the description can't hold stands in the README: shading, which
this package takes out, and the statistics of a whole micrograph, or what lies around, where a program passes tiles.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from pipeline.errors import UserError
from pipeline.foreground.measurement import BOTH
from pipeline.networks.inputs import STRIDE
from pipeline.workflows.export.exported_graph import OUTPUT, ExportSource, Inputs
from pipeline.workflows.export.torchscript_file import load_torchscript, write_torchscript

_NETWORK = "network.ts"
_TITLE = "VLSE-Net for SEM images of rock"
#: of the spread, so that an image of one grey level is no division by zero
_EPS = 1e-6
#: H, W of the test image
_TEST_SIZE = 96, 80


def write_bioimageio(source: ExportSource, path: Path, about: str) -> None:
    """Write the package, with `about` (JSON) as `config.vlsenet` of its description.

    Raises:
        UserError: the texts are inputs, or the network takes images that no description of preprocessing can give.
    """
    from bioimageio.spec import save_bioimageio_package

    _refuse(source)
    with TemporaryDirectory(prefix="vlsenet-bioimageio-") as name:
        folder = Path(name)
        facts = json.loads(about)
        write_torchscript(source, folder / _NETWORK, about)
        _write_test_tensors(source, folder)
        (folder / "README.md").write_text(_readme(source, facts), encoding="utf-8")
        save_bioimageio_package(_description(source, folder, facts), output_path=folder / "package.zip")
        path.write_bytes((folder / "package.zip").read_bytes())


def load_bioimageio(path: Path) -> Callable[[Inputs], torch.Tensor]:
    """The package's network as a function of its prepared inputs; the description and its test tensors are checked.

    Raises:
        ValueError: the package does not keep to the specification.
    """
    from bioimageio.spec import load_model_description

    with TemporaryDirectory(prefix="vlsenet-bioimageio-") as name:
        # the specification's reader goes by the ending
        copy = Path(name) / "package.zip"
        copy.write_bytes(path.read_bytes())
        load_model_description(copy, perform_io_checks=True)
        with zipfile.ZipFile(copy) as package:
            return load_torchscript(BytesIO(package.read(_NETWORK)))


def _refuse(source: ExportSource) -> None:
    remedy = "remove bioimageio from --formats"
    if len(source.axes) > 1:
        raise UserError(
            f"--formats bioimageio: a package answers one text, which is built in; {remedy}, or --text_inputs"
        )
    if source.model.shading == BOTH:
        raise UserError(
            "--formats bioimageio: this network sees each image with and without its shading, which bioimage.io has no "
            f"preprocessing for; {remedy}, or train with --set flatten_shading=false"
        )


def _write_test_tensors(source: ExportSource, folder: Path) -> None:
    """An image as a program has it, and what the network says once it is prepared as the description says."""
    noise = source.inputs(1, *_TEST_SIZE)["image"]
    grey = (128 + 40 * noise).float()
    prepared = (grey - grey.mean()) / (grey.std(correction=0) + _EPS)
    with torch.no_grad():
        probability = source.graph(image=prepared)
    np.save(folder / "image.npy", grey.numpy())
    np.save(folder / f"{OUTPUT}.npy", probability.numpy())


def _description(source: ExportSource, folder: Path, about: dict[str, Any]) -> Any:
    from bioimageio.spec.model import v0_5 as spec

    space = {
        axis: spec.SpaceInputAxis(id=spec.AxisId(axis), size=spec.ParameterizedSize(min=STRIDE, step=1))
        for axis in "yx"
    }
    same = {
        axis: spec.SpaceOutputAxis(
            id=spec.AxisId(axis),
            size=spec.SizeReference(tensor_id=spec.TensorId("image"), axis_id=spec.AxisId(axis)),
        )
        for axis in "yx"
    }
    phases: list[str] = [spec.Identifier(_identifier(name)) for name in about["phases"]]
    normalise = spec.ZeroMeanUnitVarianceDescr(
        kwargs=spec.ZeroMeanUnitVarianceKwargs(axes=[spec.AxisId(axis) for axis in ("channel", "y", "x")], eps=_EPS)
    )
    return spec.ModelDescr(
        name=_TITLE,
        description=f"Probability of {', '.join(about['phases'])} in scanning electron micrographs of rock",
        documentation=spec.FileDescr(source=folder / "README.md"),
        tags=["scanning-electron-microscopy", "rock", "porosity", "semantic-segmentation", "2d", "pytorch"],
        inputs=[
            spec.InputTensorDescr(
                id=spec.TensorId("image"),
                description="grey levels of one whole micrograph, its info bar cropped off",
                axes=[spec.BatchAxis(), spec.ChannelAxis(channel_names=["grey"]), *space.values()],
                preprocessing=[normalise],
                test_tensor=spec.FileDescr(source=folder / "image.npy"),
            )
        ],
        outputs=[
            spec.OutputTensorDescr(
                id=spec.TensorId(OUTPUT),
                description="of each phase, 0 to 1",
                axes=[spec.BatchAxis(), spec.ChannelAxis(channel_names=phases), *same.values()],
                test_tensor=spec.FileDescr(source=folder / f"{OUTPUT}.npy"),
            )
        ],
        weights=spec.WeightsDescr(
            torchscript=spec.TorchscriptWeightsDescr(
                source=folder / _NETWORK, pytorch_version=spec.Version(torch.__version__.partition("+")[0])
            )
        ),
        config=spec.Config.model_validate({"vlsenet": about}),
    )


def _identifier(phase: str) -> str:
    """A phase's name as the specification has names: no spaces, and no digit at the beginning."""
    name = "".join(letter if letter.isalnum() else "_" for letter in phase)
    return f"phase_{name}" if name[:1].isdigit() else name


def _readme(source: ExportSource, about: dict[str, Any]) -> str:
    asked = "" if about["prompt"] is None else f" It is asked with {json.dumps(about['prompt'])}, which is built in."
    known = source.model.about or {}
    trained = f" Trained on {known['trained_on']}; weights: {known['licence']}." if known else ""
    shading = (
        "The training took shading out of its images, which no preprocessing of bioimage.io does: take it out before, "
        "or expect more pore where an image is darker."
        if source.model.shading
        else "Shading was left in the training images, and is left in here."
    )
    statistics = (
        "Its norms take their statistics from the image that they are given: pass whole micrographs. A program that "
        "passes tiles gets an answer that depends on the tile."
        if about["statistics"] != "fixed"
        else "Its statistics are fixed, so that tiles get the answer of the whole image, their edges aside."
    )
    if source.model.reach is not None:
        statistics += (
            f" The network sees {source.model.reach} px beyond each place of the image at an eighth of the resolution, "
            "and takes what it is given for a whole micrograph: around a tile it sees nothing."
        )
    return f"""\
# {_TITLE}

Finds {", ".join(about["phases"])} in scanning electron micrographs of rock.{asked}{trained}
A pixel is of a phase from this probability (`config.vlsenet.threshold` in `rdf.yaml`):
{json.dumps(about["threshold"])}.

## Limits

{statistics}
{shading}

## Validation

Compare masks with your own on images that the model has not seen. The test tensors are noise, which shows that a
program computes what PyTorch does (within {about["tolerance"]:g}), and nothing of rock.
"""
