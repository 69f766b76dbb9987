"""The bundle keeps to MONAI's specification, by MONAI's own checks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, verify_metadata, verify_net_in_out
from monai.data import load_net_with_metadata
from PIL import Image

import pipeline
from pipeline.networks import build_network
from pipeline.options import move_to_entries
from pipeline.synthetic import write_dataset
from pipeline.text import build_text_source, build_text_store
from pipeline.workflows import BundleNetwork, CheckedWorkflow, bundle_model, load_model, model_content, open_dataset
from tests.paths import CONFIGS, ROOT
from tests.workflows.monai_schema import write_schema

INFERENCE, METADATA = str(CONFIGS / "inference.yaml"), str(CONFIGS / "metadata.json")
MODEL = str(CONFIGS.parent / "models" / "model.pt")


@pytest.fixture(scope="module")
def rock(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("spec") / "rock"
    write_dataset(folder, 3, shape=(64, 64), seed=0, val=1, test=0)
    return folder


@pytest.fixture(scope="module")
def checkpoint(rock) -> Path:
    settings = {"network": "vlsenet", "preset": "small", "text_dim": 256, "norm": "batch"}
    text = build_text_store(build_text_source("none"), ["pore"])
    path = rock.parent / "best.pt"
    torch.save(model_content(build_network(**settings), settings, text, open_dataset(str(rock)), {}), path)
    return path


@pytest.mark.parametrize(
    ("config", "kind", "options"),
    [
        ("train", "train", {"dataset_dir": "rock"}),
        ("train", "train", {"dataset_dir": "rock", "network": "unet"}),
        ("evaluate", "infer", {"dataset_dir": "rock"}),
        ("inference", "infer", {"input": "rock/images"}),
        ("audit", "infer", {"dataset_dir": "rock"}),
    ],
)
def test_properties(rock, checkpoint, tmp_path, monkeypatch, config, kind, options):
    monkeypatch.chdir(rock.parent)
    if config != "train":
        options = {**options, "checkpoint": str(checkpoint)}
    kind_of_workflow = ConfigWorkflow if config == "inference" else CheckedWorkflow  # MONAI's own runs that, too
    workflow = kind_of_workflow(
        config_file=[str(CONFIGS / "common.yaml"), str(CONFIGS / f"{config}.yaml")],
        workflow_type=kind,
        logging_file=False,
        output_dir=str(tmp_path),
        **options,
    )
    workflow.initialize()
    assert not workflow.check_properties()


@pytest.mark.parametrize("network", ["vlsenet", "unet"])
def test_the_network_takes_and_gives_what_the_metadata_says(rock, network):
    verify_net_in_out(
        net_id="network_def",
        config_file=[str(CONFIGS / "common.yaml"), str(CONFIGS / "train.yaml")],
        meta_file=str(CONFIGS / "metadata.json"),
        device="cpu",
        n=37,
        network=network,
        dataset_dir=str(rock),  # whose phases decide on the network's outputs
    )


def test_every_switch_of_the_network_stands_in_the_config():
    from pipeline.networks import Switches

    train = ConfigParser.load_config_file(CONFIGS / "train.yaml")
    assert train["switches"] == {name: name != "renormalise" for name in Switches.names()}


def test_augmentation_leaves_the_cached_images_alone(rock, tmp_path):
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / "common.yaml"), str(CONFIGS / "train.yaml")])
    parser.read_meta(str(CONFIGS / "metadata.json"))
    parser.update({"dataset_dir": str(rock), "output_dir": str(tmp_path), "patch_size": 48, "steps_per_epoch": 10})
    move_to_entries(parser.get())
    dataset = parser.get_parsed_content("train::dataset")
    before = [{key: item[key].clone() for key in ("image", "label")} for item in dataset._cache]
    batches = list(parser.get_parsed_content("train::dataloader"))
    assert len(batches) == 10
    assert batches[0]["image"].shape == batches[0]["label"].shape == (8, 1, 48, 48)
    assert not torch.equal(batches[0]["image"][0], batches[0]["image"][1])
    assert all(set(batch["label"].unique().tolist()) <= {0.0, 1.0} for batch in batches)
    for item, kept in zip(dataset._cache, before, strict=True):
        assert torch.equal(item["image"], kept["image"])
        assert torch.equal(item["label"], kept["label"])


@pytest.mark.parametrize("overlay", ["unet", "published"])
def test_overlays_set_only_what_train_declares(overlay):
    common, train, over = (
        ConfigParser.load_config_file(CONFIGS / f"{name}.yaml") for name in ("common", "train", overlay)
    )
    assert {name.partition("::")[0] for name in over} <= set(common) | set(train)
    for switch in (name.partition("::")[2] for name in over if name.startswith("switches::")):
        assert switch in train["switches"]


def test_inference_alone_has_the_network_that_the_metadata_describes(monkeypatch):
    monkeypatch.chdir(ROOT / "bundle")
    verify_net_in_out(net_id="network_def", meta_file=METADATA, config_file=INFERENCE, device="cpu")
    verify_net_in_out(net_id="network_def", meta_file=METADATA, config_file=INFERENCE, device="cpu", n=3)


def test_the_model_is_the_bundles_or_the_one_that_comes_along(tmp_path):
    assert bundle_model(str(ROOT / "bundle")) == MODEL
    assert bundle_model(str(tmp_path)) == MODEL
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "model.pt").touch()
    assert bundle_model(str(tmp_path)) == str(tmp_path / "models" / "model.pt")


def test_monais_own_export_takes_the_model_file_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT / "bundle")
    changed = torch.load(MODEL, weights_only=True)
    last = list(changed["network"])[-1]
    changed["network"][last] += 1
    torch.save(changed, tmp_path / "changed.pt")
    image = torch.randn(3, 1, 33, 47, generator=torch.Generator().manual_seed(0))
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(tmp_path / "changed.pt"),
        meta_file=METADATA,
        config_file=INFERENCE,
        device="cpu",
    )
    exported, about, _ = load_net_with_metadata(str(tmp_path / "model.ts"))
    assert about["network_data_format"]["outputs"]["pred"]["num_channels"] == 1
    with torch.no_grad():
        expected = BundleNetwork(load_model(str(tmp_path / "changed.pt")), "pore")(image)
        torch.testing.assert_close(exported(image), expected, rtol=1e-4, atol=1e-4)


def test_inference_alone_runs_in_monais_own_workflow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = torch.randint(0, 256, (64, 80), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    Image.fromarray(pixels.numpy()).save(tmp_path / "rock.png")
    workflow = ConfigWorkflow(
        config_file=INFERENCE,
        meta_file=METADATA,
        workflow_type="infer",
        logging_file=False,
        bundle_root=str(ROOT / "bundle"),
        input=str(tmp_path / "rock.png"),
        output_dir=str(tmp_path / "out"),
        device="cpu",
    )
    workflow.initialize()
    assert not workflow.check_properties()
    workflow.run()
    workflow.finalize()
    assert Image.open(tmp_path / "out" / "masks" / "rock.png").size == (80, 64)


def test_monais_own_check_of_the_metadata_passes_and_would_tell_what_is_missing(tmp_path):
    schema = write_schema(tmp_path)
    verify_metadata(meta_file=METADATA, filepath=schema)
    lacking = json.loads(Path(METADATA).read_text())
    del lacking["network_data_format"]["outputs"]["pred"]["dtype"]
    (tmp_path / "metadata.json").write_text(json.dumps(lacking))
    with pytest.raises(ValueError, match="Failed validating"):
        verify_metadata(meta_file=str(tmp_path / "metadata.json"), filepath=schema)


def test_the_metadata_names_this_version_and_the_measured_scores():
    metadata = json.loads(Path(METADATA).read_text())
    assert metadata["version"] in metadata["changelog"]
    assert metadata["version"] == metadata["required_packages_version"]["vlsenet"] == pipeline.__version__
    card = (CONFIGS.parent / "models" / "README.md").read_text()
    rows = re.findall(r"^\| (\d+) \| \d+ \| ([\d.]+)[^|]*\| ([\d.]+) \|", card, re.MULTILINE)
    expected = {f"mean_dice_source_{source}": float(dice) for source, dice, _ in rows}
    expected |= {f"mean_porosity_error_source_{source}": float(error) for source, _, error in rows}
    assert len(expected) >= 4
    assert metadata["eval_metrics"] == expected
