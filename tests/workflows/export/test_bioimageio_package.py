"""The package keeps to bioimage.io's specification, and does what its description says."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.foreground.measurement import BOTH
from pipeline.workflows.export import FORMATS
from pipeline.workflows.export.checked_export import export_model
from pipeline.workflows.export.exported_graph import ExportSource
from tests.workflows.export.cases import FEW_PARTS, OTHER_SIZES, TWO_PHASES, probability, trained_model

spec = pytest.importorskip("bioimageio.spec")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportSource, Path]:
    folder = tmp_path_factory.mktemp("package")
    model = trained_model(folder, switches=FEW_PARTS, values=TWO_PHASES)
    asked = [phase.prompt for phase in model.phases]
    export_model(model, str(folder), asked, model.threshold, "bioimageio")
    return ExportSource(model, model.text.together(asked), False), folder / FORMATS["bioimageio"].file


def test_the_specification_takes_it(exported: tuple[ExportSource, Path]) -> None:
    summary = spec.load_description(exported[1], perform_io_checks=True).validation_summary
    assert summary.status == "valid-format"
    assert not [error for detail in summary.details for error in detail.errors]


def test_a_program_that_reads_the_description_gets_the_test_answer(exported: tuple[ExportSource, Path]) -> None:
    with zipfile.ZipFile(exported[1]) as package:
        about = spec.load_model_description(exported[1])
        image, expected = (np.load(BytesIO(package.read(f"{name}.npy"))) for name in ("image", "probability"))
        network = torch.jit.load(BytesIO(package.read("network.ts")))
        readme = package.read("README.md").decode()
    (normalise,) = [step for step in about.inputs[0].preprocessing if step.id == "zero_mean_unit_variance"]
    axes = tuple([axis.id for axis in about.inputs[0].axes].index(axis) for axis in normalise.kwargs.axes)
    mean, spread = image.mean(axes, keepdims=True), image.std(axes, keepdims=True)
    with torch.no_grad():
        found = network(torch.from_numpy((image - mean) / (spread + normalise.kwargs.eps)))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    assert about.outputs[0].axes[1].channel_names == ["large_pore", "clay"]
    assert about.config.model_extra["vlsenet"]["threshold"] == {"large pore": 0.25, "clay": 0.5}
    assert "took shading out" in readme
    assert "pass whole micrographs" in readme


def test_it_answers_what_the_network_answers(exported: tuple[ExportSource, Path]) -> None:
    source, path = exported
    run = FORMATS["bioimageio"].load(path)
    for size in OTHER_SIZES:
        inputs = source.inputs(*size)
        with torch.no_grad():
            expected = probability(source.model, inputs, [phase.prompt for phase in source.model.phases])
            torch.testing.assert_close(run(inputs), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("network", ["unet", "vlsenet"])
def test_a_network_with_surroundings_takes_its_image_for_a_whole_micrograph(tmp_path: Path, network: str) -> None:
    """The view is the image's means of 8 x 8 pixels with nothing around them."""
    parts = {} if network == "unet" else {"switches": FEW_PARTS}
    model = trained_model(tmp_path, network=network, values=TWO_PHASES, reach=240, **parts)
    for joint in (model.network.surroundings.to_bottleneck, model.network.surroundings.to_last):
        torch.nn.init.normal_(next(joint.parameters()), std=0.3)  # not near 0, as they start
    asked = [phase.prompt for phase in model.phases]
    export_model(model, str(tmp_path), asked, model.threshold, "torchscript,bioimageio")
    path = tmp_path / FORMATS["bioimageio"].file
    assert spec.load_description(path, perform_io_checks=True).validation_summary.status == "valid-format"
    run = FORMATS["bioimageio"].load(path)
    image = torch.randn(2, 1, 64, 96)
    inside = torch.nn.functional.pad(torch.ones(2, 1, 8, 12), (31,) * 4)
    means = torch.nn.functional.pad(image.reshape(2, 1, 8, 8, 12, 8).mean((3, 5)), (31,) * 4)
    expected = probability(model, {"image": image, "view": torch.cat([means, inside], dim=1)}, asked)
    torch.testing.assert_close(run({"image": image}), expected, rtol=0, atol=1e-4)
    with zipfile.ZipFile(path) as package:
        assert "takes what it is given for a whole micrograph" in package.read("README.md").decode()
    about = json.loads((tmp_path / "export.json").read_text())
    assert list(about["inputs"]) == about["files"]["torchscript"]["inputs"] == ["image", "view"]
    assert about["files"]["bioimageio"]["inputs"] == ["image"]


def test_what_a_description_cannot_say_is_refused(tmp_path: Path) -> None:
    write, about = FORMATS["bioimageio"].write, json.dumps({})
    read = trained_model(tmp_path, switches=FEW_PARTS)
    with pytest.raises(UserError, match=r"answers one text, which is built in; .*, or --text_inputs"):
        write(ExportSource(read, read.text.get("pore"), True, of_whole=True), tmp_path / "x", about)
    both = trained_model(tmp_path, network="unet", in_channels=1)
    both = replace(both, data={**both.data, "flatten_shading": BOTH})
    with pytest.raises(UserError, match="with and without its shading"):
        write(ExportSource(both, both.text.get("pore"), False), tmp_path / "x", about)
