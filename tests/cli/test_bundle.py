"""`vlsenet bundle` and `vlsenet paths`: the zip file has all that its commands need."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ckpt_export, verify_metadata, verify_net_in_out

import pipeline as vlsenet
from pipeline.cli.main import main
from pipeline.errors import MISTAKE, SUCCESS
from pipeline.files import sha256_of
from pipeline.networks.surroundings import view_of_whole
from pipeline.workflows import load_model
from tests.paths import ROOT
from tests.workflows.export.cases import FEW_PARTS, TWO_PHASES, probability, write_checkpoint
from tests.workflows.monai_schema import write_schema


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "best.pt", values=TWO_PHASES)
    scores = {"checkpoint_sha256": sha256_of(tmp_path / "best.pt"), "images": 3, "split": "val"}
    scores |= {"mean": {"dice": 0.71234, "porosity_error": None}, "pooled": {"dice": 0.75}}
    (tmp_path / "summary.json").write_text(json.dumps(scores))
    words = ["--checkpoint", str(tmp_path / "best.pt"), "--output_dir", str(tmp_path / "out"), "--name", "shale"]
    facts = ["--authors", "R. Miller", "--licence", "CC-BY-4.0", "--data_source", "own micrographs"]
    assert main(["bundle", *words, *facts, "--scores", str(tmp_path)]) == SUCCESS
    return tmp_path / "out" / f"shale_v{vlsenet.__version__}.zip"


def test_the_zip_file_is_a_bundle_that_runs(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(packed) as bundle:
        assert {name.partition("/")[0] for name in bundle.namelist()} == {"shale"}
        bundle.extractall(tmp_path)
    folder = tmp_path / "shale"
    assert (folder / "models" / "model.pt").read_bytes() == (tmp_path / "best.pt").read_bytes()
    for file in ("LICENSE", "configs/inference.yaml", "configs/common.yaml", "configs/logging.conf"):
        assert (folder / file).read_bytes() == (ROOT / "bundle" / file).read_bytes()
    monkeypatch.chdir(folder)
    verify_net_in_out(
        net_id="network_def",
        meta_file="configs/metadata.json",
        config_file="configs/inference.yaml",
        device="cpu",
        n=2,
    )
    verify_metadata(meta_file="configs/metadata.json", filepath=write_schema(tmp_path))
    model = vlsenet.load(packed, device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (64, 80), np.uint8)
    assert list(model.predict(image).phases) == ["large pore", "clay"]


def test_an_earlier_zip_file_is_replaced_only_if_asked(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = packed.read_bytes()
    words = ["bundle", "--checkpoint", str(tmp_path / "best.pt"), "--output_dir", str(packed.parent), "--name", "shale"]
    assert main(words) == MISTAKE
    assert f"error: {packed} is there already: --overwrite replaces it" in capsys.readouterr().err
    assert packed.read_bytes() == before
    assert main([*words, "--overwrite"]) == SUCCESS
    assert packed.read_bytes() != before


def test_commands_say_that_a_zip_file_is_to_be_unpacked(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["info", str(packed)], ["bundle", "--checkpoint", str(packed), "--output_dir", "out"]):
        assert main(words) == MISTAKE
        (told,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
        assert "(it is a packed bundle: unpack it, and give its shale/models/model.pt)" in told


def test_metadata_and_card_say_what_is_known(packed: Path) -> None:
    with zipfile.ZipFile(packed) as bundle:
        metadata = json.loads(bundle.read("shale/configs/metadata.json"))
        card = bundle.read("shale/docs/README.md").decode()
    assert metadata["eval_metrics"] == {"mean_dice": 0.7123, "pooled_dice": 0.75}
    assert metadata["network_data_format"]["outputs"]["pred"]["channel_def"] == {
        "0": "logit of large pore",
        "1": "logit of clay",
    }
    assert metadata["authors"] == "R. Miller"
    assert metadata["data_source"] == "own micrographs"
    assert metadata["version"] in metadata["changelog"]
    headings = ("Model Description", "Data", "Performance", "Additional Usage Steps", "Limitations")
    assert all(f"## **{heading}**" in card for heading in headings)
    assert "| dice | 0.7123 | 0.7500 |" in card
    assert "large pore 0.25, clay 0.5" in card
    assert "CC-BY-4.0" in card


def test_the_same_model_gives_the_same_bytes_and_no_state_of_a_training(packed: Path, tmp_path: Path) -> None:
    content = torch.load(tmp_path / "best.pt", weights_only=True)
    torch.save({**content, "training": {"epoch": 3}}, tmp_path / "last.pt")
    sums = []
    for folder in ("first", "second"):
        words = ["--checkpoint", str(tmp_path / "last.pt"), "--output_dir", str(tmp_path / folder)]
        assert main(["bundle", *words]) == SUCCESS
        sums.append(sha256_of(next((tmp_path / folder).glob("*.zip"))))
    assert sums[0] == sums[1]
    with (
        zipfile.ZipFile(next((tmp_path / "first").glob("*.zip"))) as bundle,
        bundle.open("vlsenet_model/models/model.pt") as file,
    ):
        assert "training" not in torch.load(file, weights_only=True)


def test_mistakes(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_checkpoint(tmp_path / "other.pt")
    words = ["bundle", "--checkpoint", str(tmp_path / "other.pt"), "--output_dir", str(tmp_path / "no")]
    assert main([*words, "--scores", str(tmp_path)]) == MISTAKE
    assert "scores of another model" in capsys.readouterr().err
    assert main([*words, "--scores", str(tmp_path / "none")]) == MISTAKE
    assert "no summary.json of vlsenet evaluate there" in capsys.readouterr().err
    other = {"checkpoint_sha256": sha256_of(tmp_path / "best.pt"), "pooled": {}}
    (tmp_path / "summary.json").write_text(json.dumps(other))
    assert main([*words, "--scores", str(tmp_path)]) == MISTAKE
    assert "no summary.json of vlsenet evaluate there" in capsys.readouterr().err
    assert main([*words, "--name", "my pores"]) == MISTAKE
    assert "give letters, digits, _ and -" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def facts_of(folder: Path, flatten_shading: bool = True, **settings: object) -> tuple[dict[str, Any], str]:
    """The metadata and the card of a packed tiny model, which is unpacked in the folder."""
    write_checkpoint(folder / "best.pt", **settings)
    content = torch.load(folder / "best.pt", weights_only=True)
    content["data"]["flatten_shading"] = flatten_shading
    torch.save(content, folder / "best.pt")
    assert main(["bundle", "--checkpoint", str(folder / "best.pt"), "--output_dir", str(folder)]) == SUCCESS
    with zipfile.ZipFile(next(folder.glob("*.zip"))) as bundle:
        assert {entry.external_attr >> 16 & 0o777 for entry in bundle.infolist()} == {0o644}
        bundle.extractall(folder)
    root = folder / "vlsenet_model"
    return json.loads((root / "configs" / "metadata.json").read_text()), (root / "docs" / "README.md").read_text()


def test_metadata_are_those_of_this_network_and_its_images(tmp_path: Path) -> None:
    metadata, _ = facts_of(tmp_path, flatten_shading=False, network="unet", values=TWO_PHASES)
    assert metadata["description"].startswith("A U-Net that finds large pore, clay in SEM images")
    assert metadata["task"] == "Segmentation of large pore, clay in scanning electron micrographs of rock"
    assert metadata["image_classes"].endswith("shading left in")


def test_a_network_with_surroundings_takes_a_whole_micrograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, card = facts_of(tmp_path, values=TWO_PHASES, reach=240, switches=FEW_PARTS | {"cross_attention": True})
    assert "It sees 240 px around each window" in card
    assert "nothing lies around it" in card
    monkeypatch.chdir(tmp_path / "vlsenet_model")
    files = {"config_file": "configs/inference.yaml", "meta_file": "configs/metadata.json", "device": "cpu"}
    verify_net_in_out(net_id="network_def", n=2, **files)
    ckpt_export(net_id="network_def", ckpt_file="models/model.pt", filepath="model.ts", **files)
    model = load_model("models/model.pt")
    assert model.network.surroundings is not None
    image = torch.randn(1, 1, 70, 52, generator=torch.Generator().manual_seed(0))
    prompts = [phase.prompt for phase in model.phases]
    expected = probability(model, {"image": image, "view": view_of_whole(image, 240)}, prompts)
    with torch.no_grad():
        found = torch.jit.load("model.ts")(image).sigmoid()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    elsewhere = probability(model, {"image": image, "view": torch.zeros_like(view_of_whole(image, 240))}, prompts)
    assert (found - elsewhere).abs().max() > 1e-4, "the view must matter"


def test_paths_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paths"]) == SUCCESS
    found = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert set(found) == {"configs", "model", "card", "bundle", "ablation", "licence"}
    assert all(Path(path).exists() for path in found.values())
    assert main(["paths", "--which", "model"]) == SUCCESS
    assert capsys.readouterr().out.strip() == found["model"]
