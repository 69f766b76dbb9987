from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from pipeline.errors import UserError
from pipeline.files import sha256_of
from pipeline.workflows.bundle_workflow import run_config
from pipeline.workflows.export import FORMATS, export_model
from tests.workflows.export.cases import FEW_PARTS, PROMPT, TWO_PHASES, trained_model, write_checkpoint


def bundle_export(monkeypatch: pytest.MonkeyPatch, folder: Path, **options: object) -> None:
    monkeypatch.chdir(folder)
    options = {"checkpoint": "best.pt", "output_dir": "out", "formats": "torchscript", **options}
    run_config("export", logging_file=False, **options)


def mistake(caught: pytest.ExceptionInfo[BaseException]) -> str:
    cause: BaseException | None = caught.value
    while not isinstance(cause, UserError):
        assert cause is not None
        cause = cause.__cause__
    return str(cause)


def test_the_command_writes_checked_files_and_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path / "best.pt", norm="batch", switches=FEW_PARTS)
    bundle_export(monkeypatch, tmp_path, prompt=PROMPT)
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == ["export.json", "model.ts"]
    manifest = json.loads((out / "export.json").read_text())
    assert manifest["threshold"] == 0.375
    assert manifest["phases"] == ["pore"]
    assert manifest["output"]["shape"] == ["batch", 1, "height", "width"]
    assert manifest["prompt"] == PROMPT
    assert manifest["inputs"]["image"]["shape"] == ["batch", 1, "height", "width"]
    assert set(manifest["inputs"]) == {"image"}
    assert manifest["checkpoint_sha256"] == sha256_of(tmp_path / "best.pt")
    assert manifest["versions"]["torch"] == version("torch")
    file = manifest["files"]["torchscript"]
    assert file["sha256"] == sha256_of(out / file["file"])
    assert file["largest_difference"] == max(file["difference_by_size"].values()) < 1e-4

    with pytest.raises(Exception) as caught:  # noqa: PT011 - MONAI wraps it
        bundle_export(monkeypatch, tmp_path, prompt="pore")
    assert "--overwrite replaces it" in mistake(caught)
    assert json.loads((out / "export.json").read_text()) == manifest
    (out / "export.json").unlink()  # the network alone, of whatever origin, is kept too
    with pytest.raises(Exception) as caught:  # noqa: PT011 - MONAI wraps it
        bundle_export(monkeypatch, tmp_path, prompt="pore")
    assert "already holds model.ts" in mistake(caught)
    bundle_export(monkeypatch, tmp_path, prompt="pore", overwrite=True)
    assert json.loads((out / "export.json").read_text())["prompt"] == "pore"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"formats": "onx"}, "did you mean onnx"),
        ({"formats": 5}, "give one or more of torch_export"),
        ({"text_inputs": "yes"}, "must be true or false"),
        ({"text_inputs": True}, "reads no text"),
        ({"checkpoint": "none.pt"}, "no such file"),
    ],
)
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], told: str) -> None:
    write_checkpoint(tmp_path / "best.pt", network="unet")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - MONAI wraps it
        bundle_export(monkeypatch, tmp_path, **options)
    assert told in mistake(caught)
    assert not (tmp_path / "out").exists()


def test_a_model_of_several_phases_gives_each_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path / "best.pt", values=TWO_PHASES, switches=FEW_PARTS)
    bundle_export(monkeypatch, tmp_path)
    manifest = json.loads((tmp_path / "out" / "export.json").read_text())
    assert manifest["phases"] == ["large pore", "clay"]
    assert manifest["prompt"] == ["large pore", "clay between grains"]
    assert manifest["threshold"] == {"large pore": 0.25, "clay": 0.5}
    assert manifest["output"]["shape"] == ["batch", 2, "height", "width"]
    assert manifest["output"]["meaning"] == "probability of each of the phases, in order"
    with pytest.raises(Exception) as caught:  # noqa: PT011 - MONAI wraps it
        bundle_export(monkeypatch, tmp_path, prompt="pore", overwrite=True)
    assert "several phases (large pore, clay)" in mistake(caught)


def test_text_inputs_come_with_the_stored_features(tmp_path: Path) -> None:
    model = trained_model(tmp_path, switches=FEW_PARTS)
    export_model(model, str(tmp_path), PROMPT, 0.5, ["torchscript"], text_inputs=True)
    manifest = json.loads((tmp_path / "export.json").read_text())
    assert manifest["prompt"] is None
    assert "then shading taken out" in manifest["inputs"]["image"]["normalisation"]
    assert manifest["inputs"]["text"]["shape"] == ["batch", 256]
    assert manifest["inputs"]["tokens"]["shape"] == ["batch", 8, 256]
    with safe_open(tmp_path / manifest["text"]["file"], framework="pt") as file:
        prompts = json.loads(file.metadata()["prompts"])
        row = prompts.index(PROMPT)
        assert torch.equal(file.get_tensor("text")[row], model.text.get(PROMPT).text)
        assert torch.equal(file.get_tensor("tokens")[row], model.text.get(PROMPT).tokens)


def test_what_fails_its_check_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained_model(tmp_path, network="unet")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.onnx").write_text("of an earlier export")
    wrong = FORMATS["torchscript"]._replace(load=lambda path: lambda inputs: inputs["image"])
    monkeypatch.setitem(FORMATS, "torchscript", wrong)
    with pytest.raises(UserError, match=r"model\.ts was not written"):
        export_model(model, str(tmp_path / "out"), PROMPT, 0.5, "torchscript")
    assert list((tmp_path / "out").iterdir()) == []
