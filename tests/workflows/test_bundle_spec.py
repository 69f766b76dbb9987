"""The bundle keeps to MONAI's specification, by MONAI's own checks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, verify_net_in_out

from pipeline.networks import build_network
from pipeline.options import move_to_entries
from pipeline.synthetic import write_dataset
from pipeline.text import build_text_source, build_text_store
from pipeline.workflows import CheckedWorkflow, model_content, open_dataset
from tests.paths import CONFIGS


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
