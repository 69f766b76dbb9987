"""What to label next, of images in which it is known where the model is unsure."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.cli.main import main
from pipeline.errors import MISTAKE
from pipeline.workflows.label_loop.seen_image import SeenImage
from pipeline.workflows.label_loop.suggestion import LabelledParts, Region, entropy, ranked, suggest
from pipeline.workflows.model_file import TrainedModel
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.phase_models import ByGrey


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """It is sure of pixels of middle grey and of very bright or dark ones, and unsure in between."""
    found = trained_model(tmp_path_factory.mktemp("model"))
    return dataclasses.replace(found, network=ByGrey((-2.0,)).eval())


def micrograph(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(128, 8, (512, 640)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def rock(tmp_path: Path) -> Path:
    """Two micrographs; one has a patch of half-dark grey, of which the model is unsure."""
    (tmp_path / "rock" / "images").mkdir(parents=True)
    for number, name in enumerate("ab"):
        image = micrograph(number)
        if name == "b":
            image[270:500, 390:630] -= 8
        Image.fromarray(image).save(tmp_path / "rock" / "images" / f"{name}.tif")
    return tmp_path / "rock"


def test_entropy_is_that_of_the_phase_least_sure() -> None:
    found = entropy(np.array([[[0.5, 0.0, 1.0, 0.11]], [[0.0, 0.0, 0.0, 0.0]]]))
    np.testing.assert_allclose(found, [[1, 0, 0, 0.5]], atol=1e-3)


def test_unsure_regions_come_first(rock: Path, model: TrainedModel, tmp_path: Path) -> None:
    found = suggest(rock, model, tmp_path / "out", count=3)
    assert found[0].image.name == "b.tif"
    assert (found[0].y, found[0].x) == (256, 256) or (found[0].y, found[0].x) == (256, 512)
    table = pd.read_csv(tmp_path / "out" / "suggestions.csv")
    assert list(table["rank"]) == [1, 2, 3]
    pictures = [Image.open(tmp_path / "out" / name).size for name in table["picture"]]
    assert pictures == list(zip(table["width_px"], table["height_px"], strict=True))
    images = pd.read_csv(tmp_path / "out" / "images.csv")
    assert set(images["image"]) == {"a.tif", "b.tif"}
    assert images["uncertainty"].is_monotonic_decreasing


def test_what_is_labelled_is_not_asked_again(rock: Path, model: TrainedModel, tmp_path: Path) -> None:
    label = np.zeros((512, 640), np.uint8)
    label[256:, 256:] = 1
    (rock / "labels").mkdir()
    Image.fromarray(label).save(rock / "labels" / "b.png")
    (rock / "phases.csv").write_text("value,phase\n1,pore\n0,unlabelled\n")
    found = suggest(rock, model, tmp_path / "out", count=20)
    assert not [one for one in found if one.image.name == "b.tif" and one.y == 256 and one.x >= 256]
    assert all(one.labelled == 0 for one in found)


def test_regions_alike_come_later() -> None:
    looks = {"first": [0.0, 0], "twin": [0.01, 0], "other": [3.0, 3], "plain": [-3.0, 2]}
    unsure = {"first": 0.9, "twin": 0.89, "other": 0.6, "plain": 0.0}
    regions = [Region(Path(name), 0, 0, 9, 9, unsure[name], 0.0, np.array(look)) for name, look in looks.items()]
    assert [region.image.name for region in ranked(regions, 3)] == ["first", "other", "twin"]
    assert ranked([], 3) == []


def test_rows_of_an_info_bar_are_not_read(tmp_path: Path, model: TrainedModel) -> None:
    path = tmp_path / "a.png"
    image = micrograph(0)
    image[480:] = 0
    Image.fromarray(image).save(path)
    with SeenImage.opened(path, model, info_bar=32) as seen:
        assert sum(part.area for part in seen.parts()) == 480 * 640
        assert LabelledParts(None, None)(next(seen.parts())).sum() == 0


def test_images_that_cant_be_read(rock: Path, tmp_path: Path, model: TrainedModel, capsys, caplog) -> None:
    (rock / "images" / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
    assert suggest(rock, model, tmp_path / "out", count=1)
    assert any("c.png" in line for line in caplog.messages)
    assert main(["suggest", str(tmp_path / "none")]) == MISTAKE
    assert "no such file or folder" in capsys.readouterr().err
