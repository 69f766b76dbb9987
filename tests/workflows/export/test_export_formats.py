"""Every format gives what the network gives, at sizes that it has not been traced or checked at."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch
from monai.data import load_net_with_metadata

from pipeline.errors import UserError
from pipeline.workflows.export import FORMATS, check_formats
from pipeline.workflows.export.exported_graph import ExportSource
from tests.workflows.export.cases import FEW_PARTS, OTHER_SIZES, PROMPT, TWO_PHASES, probability, trained_model

ABOUT = json.dumps({"threshold": 0.375})


def source_of(folder: Path, text_inputs: bool = False, **settings: object) -> ExportSource:
    model = trained_model(folder, **settings)
    return ExportSource(model, model.text.get(PROMPT), text_inputs)


def check_format(source: ExportSource, kind: str, folder: Path) -> Path:
    """Write a file, load it, and compare what it gives."""
    path = folder / FORMATS[kind].file
    FORMATS[kind].write(source, path, ABOUT)
    run = FORMATS[kind].load(path)
    for size in OTHER_SIZES:
        inputs = source.inputs(*size)
        names = [
            "image",
            *(["view"] if source.model.reach else []),
            *(["text", "tokens"] if source.text_inputs else []),
        ]
        assert list(inputs) == names
        with torch.no_grad():
            torch.testing.assert_close(run(inputs), probability(source.model, inputs, PROMPT), rtol=0, atol=1e-4)
    if source.text_inputs:
        other = source.inputs(1, 48, 48)
        features = source.model.text.get("pore")
        expected = probability(source.model, {"image": other["image"]}, "pore")
        assert (expected - probability(source.model, other, PROMPT)).abs().max() > 1e-3
        other |= {"text": features.text[None], "tokens": features.tokens[None]}
        with torch.no_grad():
            torch.testing.assert_close(run(other), expected, rtol=0, atol=1e-4)
    return path


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> ExportSource:
    return source_of(tmp_path_factory.mktemp("unet"), network="unet")


def test_unet_by_torch_export(unet: ExportSource, tmp_path: Path) -> None:
    path = check_format(unet, "torch_export", tmp_path)
    extra = {"about.json": ""}
    torch.export.load(path, extra_files=extra)
    assert extra["about.json"] == ABOUT


@pytest.mark.parametrize(
    "kind", ["torchscript", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("torch_export", "onnx"))]
)
def test_surroundings_are_a_second_input(tmp_path: Path, kind: str) -> None:
    source = source_of(tmp_path, network="unet", reach=240)
    assert source.model.network.surroundings is not None
    for joint in (source.model.network.surroundings.to_bottleneck, source.model.network.surroundings.to_last):
        torch.nn.init.normal_(joint.conv.weight, std=0.3)
    check_format(source, kind, tmp_path)


def test_surroundings_and_texts_are_inputs_side_by_side(tmp_path: Path) -> None:
    source = source_of(tmp_path, text_inputs=True, reach=240, switches=FEW_PARTS)
    for size in OTHER_SIZES[:1]:
        inputs = source.inputs(*size)
        assert list(inputs) == ["image", "view", "text", "tokens"]
    path = tmp_path / "model.ts"
    FORMATS["torchscript"].write(source, path, ABOUT)
    with torch.no_grad():
        found = FORMATS["torchscript"].load(path)(inputs)
    torch.testing.assert_close(found, probability(source.model, inputs, PROMPT), rtol=0, atol=1e-4)


def test_unet_as_onnx(unet: ExportSource, tmp_path: Path) -> None:
    file = onnx.load(check_format(unet, "onnx", tmp_path))
    onnx.checker.check_model(file)
    assert {entry.key: entry.value for entry in file.metadata_props}["about"] == ABOUT
    assert [opset.version for opset in file.opset_import if not opset.domain] == [18]
    axes = [axis.dim_param or axis.dim_value for axis in file.graph.input[0].type.tensor_type.shape.dim]
    assert axes == ["batch", 1, "height", "width"]


def test_unet_as_torchscript_that_monai_reads(unet: ExportSource, tmp_path: Path) -> None:
    path = check_format(unet, "torchscript", tmp_path)
    network, about, files = load_net_with_metadata(str(path), more_extra_files=("network.json",))
    assert about == json.loads(ABOUT)
    assert json.loads(files["network.json"])["network_def"]["network"]["network"] == "unet"
    inputs = unet.inputs(1, 40, 56)
    torch.testing.assert_close(network(inputs["image"]), probability(unet.model, inputs, PROMPT))


@pytest.mark.parametrize("text_inputs", [False, True])
def test_vlsenet_as_torchscript(tmp_path: Path, text_inputs: bool) -> None:
    path = check_format(source_of(tmp_path, text_inputs), "torchscript", tmp_path)
    assert '"cpu"' not in str(torch.jit.load(path).inlined_graph), "a device in the graph would tie it to that"


@pytest.mark.parametrize("text_inputs", [False, True])
@pytest.mark.parametrize("text_source", ["random", "learned"])
def test_several_phases_as_torchscript(tmp_path: Path, text_source: str, text_inputs: bool) -> None:
    switches = FEW_PARTS | {"cross_attention": True}  # so that both the text and its tokens are read
    model = trained_model(
        tmp_path, text_source=text_source, learned_text=text_source == "learned", values=TWO_PHASES, switches=switches
    )
    prompts = [phase.prompt for phase in model.phases]
    source = ExportSource(model, model.text.together(prompts), text_inputs)
    kind, path = FORMATS["torchscript"], tmp_path / "model.ts"
    kind.write(source, path, ABOUT)
    for size in OTHER_SIZES:
        inputs = source.inputs(*size)
        expected = probability(model, inputs, prompts)
        assert expected.shape == (size[0], 2, *size[1:])
        with torch.no_grad():
            torch.testing.assert_close(kind.load(path)(inputs), expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_several_phases_by_torch_export_and_as_onnx(tmp_path: Path) -> None:
    model = trained_model(tmp_path, values=TWO_PHASES)
    prompts = [phase.prompt for phase in model.phases]
    source = ExportSource(model, model.text.together(prompts), False)
    for name in ("torch_export", "onnx"):
        path = tmp_path / FORMATS[name].file
        FORMATS[name].write(source, path, ABOUT)
        for size in OTHER_SIZES:
            inputs = source.inputs(*size)
            with torch.no_grad():
                found = FORMATS[name].load(path)(inputs)
            torch.testing.assert_close(found, probability(model, inputs, prompts), rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"norm": "instance"},
        {"norm": "group", "text_inputs": True},
        {"norm": "batch", "text_source": "learned", "learned_text": True},
    ],
    ids=["instance", "group-text-inputs", "batch-learned-text"],
)
def test_vlsenet_by_torch_export_and_as_onnx(tmp_path: Path, settings: dict[str, object]) -> None:
    source = source_of(tmp_path, **settings)
    check_format(source, "torch_export", tmp_path)
    check_format(source, "onnx", tmp_path)


def test_formats_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_formats("onnx, torchscript,onnx") == ("onnx", "torchscript")
    assert check_formats(["torch_export"]) == ("torch_export",)
    with pytest.raises(UserError, match="did you mean onnx"):
        check_formats("onx")
    with pytest.raises(UserError, match="empty"):
        check_formats([])
    monkeypatch.setattr("pipeline.workflows.export.export_formats.find_spec", lambda name: None)
    assert check_formats("torchscript") == ("torchscript",)
    with pytest.raises(UserError, match="onnxruntime: install"):
        check_formats("onnx")
