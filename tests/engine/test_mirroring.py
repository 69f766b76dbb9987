"""Small scans are averaged over mirrorings unless asked otherwise, at every door of the engine and for good."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.engine import prediction
from pipeline.engine.prediction import PredictionSettings
from pipeline.images.volume import volume_of_array
from pipeline.options import default
from pipeline.workflows import ScanSegmentation
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan.results import MANIFEST
from tests.engine.test_doors import ENGINE, inferred, rock, segmented
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import settings_of

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return trained_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(
    ("shape", "chosen", "mirrors"),
    [
        ((1, 2048, 2048), "auto", True),
        ((1, 2048, 2049), "auto", False),
        ((2, 1536, 2048), "auto", False),  # all slices count
        ((1, 300, 300), False, False),
        ((1, 2048, 2049), True, True),
    ],
)
def test_the_size_decides_where_nothing_was_chosen(
    shape: tuple[int, int, int], chosen: bool | str, mirrors: bool
) -> None:
    pixels = np.broadcast_to(np.uint8([0, 255] * 1024 + [0])[: shape[2]], shape)
    with volume_of_array(pixels if shape[0] > 1 else pixels[0], "scan") as volume:
        assert PredictionSettings(mirror=chosen).mirrors(volume) is mirrors


def test_inferer_and_segmentation_mirror_small_images_alike(
    tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = rock(200, 210)
    tifffile.imwrite(tmp_path / "a.tif", image)
    once, mirrored = (inferred(model, image, mirror=mirror) for mirror in (False, True))
    assert np.abs(once - mirrored).max() > 0.01
    for limit, expected in ((image.size, mirrored), (image.size - 1, once)):
        monkeypatch.setattr(prediction, "MIRRORED", limit)
        np.testing.assert_array_equal(inferred(model, image), expected)
        _, stored = segmented(model, tmp_path / "a.tif", tmp_path / str(limit))
        assert np.abs(stored - expected).max() <= 0.5001 / 255
        assert _mirror_of(tmp_path / str(limit)) is (expected is mirrored)


def test_a_finished_segmentation_stays_as_it_was_chosen_by_itself(tmp_path: Path, model: TrainedModel) -> None:
    tifffile.imwrite(tmp_path / "a.tif", rock(200, 210))
    segmented(model, tmp_path / "a.tif", tmp_path / "out", mirror=False)  # as earlier versions did
    before = (tmp_path / "out" / MANIFEST).read_bytes()
    segmented(model, tmp_path / "a.tif", tmp_path / "out")
    assert (tmp_path / "out" / MANIFEST).read_bytes() == before
    ScanSegmentation(
        str(tmp_path / "a.tif"), tmp_path / "out", model, settings_of(**ENGINE, report=False), overwrite=True
    ).run()
    assert _mirror_of(tmp_path / "out")


def test_validations_of_a_training_are_quick_unless_asked_otherwise() -> None:
    assert PredictionSettings(mirror=default("train", "mirror")).quick.mirror is False
    assert PredictionSettings(mirror=True).quick.mirror is True


def test_records_say_that_the_size_decides() -> None:
    assert [PredictionSettings(mirror=one).recorded["mirror"] for one in ("auto", False, True)] == ["auto", False, True]


def _mirror_of(folder: Path) -> bool:
    found: bool = json.loads((folder / MANIFEST).read_text())["request"]["mirror"]
    return found
