from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from pipeline.cli.facts import checkpoint_lines
from pipeline.cli.info import is_checkpoint
from pipeline.cli.main import main
from pipeline.engine.familiarity import Familiarity
from pipeline.errors import MISTAKE, SUCCESS
from pipeline.networks import build_network
from pipeline.workflows.training_look import add_to_model
from tests.paths import SHARED
from tests.workflows.export.cases import FEATURES, PROMPT, write_checkpoint

VENDOR = SHARED / "vendor_tiff"


def facts(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main(["info", *map(str, arguments), "--json"]) == SUCCESS
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("options", "storage", "block"),
    [
        ({"tile": (64, 32)}, "tiles", [32, 64]),
        ({"rowsperstrip": 16, "compression": "zlib"}, "strips", [112, 16]),
        ({}, "uncompressed", [1, 1]),
    ],
)
def test_how_a_tiff_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict, storage: str, block: list[int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 65535, (96, 112), np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, resolution=(1e7 / 50, 1e7 / 50), resolutionunit="CENTIMETER", **options
    )
    found = facts(capsys, tmp_path / "a.tif")
    assert (found["width_px"], found["height_px"], found["type"], found["images"]) == (112, 96, "uint16", 1)
    assert (found["storage"], found["block_px"]) == (storage, block)
    assert found["pixel_width_nm"] == pytest.approx(50)
    assert main(["info", str(tmp_path / "a.tif")]) == SUCCESS
    shown = capsys.readouterr().out
    assert "112 x 96 pixels, uint16, grey" in shown
    assert "50 nm (" in shown
    assert "none found" in shown


def test_files_and_folders_of_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)).save(tmp_path / f"{name}.png")
    assert facts(capsys, tmp_path)["images"] == 2
    pages = np.random.default_rng(0).integers(0, 255, (3, 40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="minisblack")
    assert facts(capsys, tmp_path / "pages.tif")["images"] == 3
    assert facts(capsys, tmp_path / "pages.tif", "--page", 2)["images"] == 1
    assert main(["info", str(tmp_path / "pages.tif"), "--page", "3"]) == MISTAKE
    assert "no page 3" in capsys.readouterr().err


def test_channels_are_no_volume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (2, 2, 40, 50)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", image, metadata={"axes": "ZCYX"})
    assert not facts(capsys, tmp_path / "a.ome.tif")["are_one_volume"]
    assert main(["info", str(tmp_path / "a.ome.tif")]) == SUCCESS
    assert "--stack" not in capsys.readouterr().out


@pytest.mark.data
@pytest.mark.skipif(not VENDOR.exists(), reason="no ../shared/data/vendor_tiff")
def test_a_microscope_s_file(capsys: pytest.CaptureFixture[str]) -> None:
    found = facts(capsys, VENDOR / "thermo_fei.tif")
    assert found["pixel_width_nm"] == pytest.approx(97.6562, abs=1e-4)
    assert found["voltage_kv"] == 30
    assert main(["info", str(VENDOR / "thermo_fei.tif")]) == SUCCESS
    assert "97.6562 nm (Thermo Fisher tag)" in capsys.readouterr().out


def test_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "best.pt"
    write_checkpoint(path, switches={"alignment": False})
    found = facts(capsys, path)
    dim = found["text"]["dim"]
    network = build_network("vlsenet", features=FEATURES, text_dim=dim, norm="instance", switches={"alignment": False})
    assert found["parameters"] == sum(p.numel() for p in network.parameters())
    assert found["prompts"] == ["pore", PROMPT]
    assert (found["network"], found["preset"], found["widths"]) == ("vlsenet", None, FEATURES)
    assert (found["threshold"], found["switched_off"]) == (0.375, ["alignment"])
    assert found["versions"]["torch"] == torch.__version__
    shutil.copy(path, tmp_path / "model")
    assert is_checkpoint(str(tmp_path / "model"))  # by its content
    assert main(["info", str(tmp_path / "model")]) == SUCCESS
    shown = capsys.readouterr().out
    assert "without      alignment" in shown
    assert "0.375" in shown
    assert "shading      removed from the images" in shown
    assert "elsewhere    unknown: validated on fewer than two other micrographs" in shown
    assert "new scans    those unlike its training are not told" in shown


def test_a_published_model_shows_its_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_checkpoint(tmp_path / "best.pt")
    about = {"title": "A model", "trained_on": "two rocks", "licence": "MIT"}
    areas = [{"source": name, "found": 0.1, "true": 0.11, "pixels": 10} for name in "ab"]
    images = [np.random.default_rng(seed).normal(size=(20, 13)) for seed in range(3)]
    known = Familiarity.fitted(images, ["a", "b", "c"]).to_dict()
    add_to_model(tmp_path / "best.pt", about=about, held_out={"pore": areas}, familiarity=known)
    found = facts(capsys, tmp_path / "best.pt")
    assert (found["about"], found["tells_unlike_scans"]) == (about, True)
    assert found["error_on_other_micrographs"]["pore"]["absolute"] == pytest.approx(0.01)
    assert main(["info", str(tmp_path / "best.pt")]) == SUCCESS
    shown = capsys.readouterr().out
    for told in ("A model", "two rocks", "MIT", "porosity was off by 0.0100 on average over 2 images of 2"):
        assert told in shown


@pytest.mark.parametrize(
    ("text", "prior", "prompts"),
    [
        (
            {"source": "learned", "trained": False},
            "learned with the network (8 vectors of 256)",
            "not read by this model",
        ),
        ({"source": "none", "trained": False}, "none", "not read by this model"),
        ({"source": "random", "trained": False}, "random, a control", "pore; thin pores"),
        (
            {"source": "clip", "model": "ViT-B-16", "pretrained": "openai"},
            "CLIP's text tower ViT-B-16",
            "pore; thin pores",
        ),
    ],
)
def test_the_text_prior_in_words(text: dict, prior: str, prompts: str) -> None:
    facts = {"network": "vlsenet", "preset": None, "widths": [8], "norm": "instance", "parameters": 1, "threshold": 0.5}
    facts |= {"phases": ["pore"], "one_micrograph": False}
    facts |= {"about": None, "error_on_other_micrographs": {}, "tells_unlike_scans": False}
    facts |= {
        "train_images": 1,
        "pore_label": None,
        "pixel_sizes_nm": [],
        "flatten_shading": None,
        "start_from": None,
        "switched_off": [],
        "surroundings": "none",
        "epoch": None,
    }
    facts |= {"versions": {}, "sha256": "0", "text": {"dim": 256, "length": 8, **text}}
    lines = dict(checkpoint_lines({**facts, "prompts": ["pore", "", "thin pores"]}))
    assert lines["text prior"].startswith(prior)
    assert lines["prompts"] == prompts


def test_colours_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)).save(tmp_path / "a.png")
    assert main(["info", str(tmp_path / "a.png")]) == SUCCESS
    assert "channels differ" in capsys.readouterr().out


def test_a_mask_is_doubted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 3, (40, 50), np.uint8)).save(tmp_path / "a.png")
    assert main(["info", str(tmp_path / "a.png")]) == SUCCESS
    assert "warning     it has only 3 grey levels: is this a mask?" in capsys.readouterr().out


def test_folders_that_hold_no_images_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "images").mkdir()
    Image.new("L", (40, 50)).save(tmp_path / "images" / "a.png")
    assert main(["info", str(tmp_path)]) == MISTAKE
    assert f"holds no images, but {tmp_path}/images does; give that folder" in capsys.readouterr().err


def test_what_is_neither(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.pt", "a.txt"):
        (tmp_path / name).write_text("nothing")
        assert main(["info", str(tmp_path / name)]) == MISTAKE
        assert capsys.readouterr().err.count("\n") == 1
