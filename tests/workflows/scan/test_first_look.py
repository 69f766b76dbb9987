from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.filters import threshold_otsu

from pipeline.engine.familiarity import Familiarity
from pipeline.engine.prediction import PredictionSettings
from pipeline.synthetic import generate
from pipeline.workflows import ScanSegmentation
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan.first_look import otsu_share
from pipeline.workflows.training_look import image_features
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import settings_of

SIDE, UNKNOWN_SIZE = 256, (np.nan, np.nan)
AREAS = [{"source": name, "found": 0.1, "true": true, "pixels": 10} for name, true in (("a", 0.11), ("b", 0.09))]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A model file of an earlier version, which describes no training."""
    return trained_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(old: TrainedModel) -> TrainedModel:
    """The same, with synthetic rock as its training."""
    images = [
        image_features(
            generate((SIDE, SIDE), seed).image.astype(np.float32), PredictionSettings(), (), (np.nan, np.nan)
        )
        for seed in range(8)
    ]
    known = Familiarity.fitted(images, [str(seed) for seed in range(8)]).to_dict()
    about = {"title": "A model", "trained_on": "synthetic rock", "licence": "MIT"}
    return replace(old, data={**old.data, "about": about, "held_out": {"pore": AREAS}, "familiarity": known})


def segmented(folder: Path, image: np.ndarray, model: TrainedModel, **changes: object) -> tuple[dict, dict]:
    """Manifest and porosity of an image."""
    folder.mkdir(exist_ok=True)
    tifffile.imwrite(folder / "scan.tif", image)
    settings = settings_of(**{"chunk_size": SIDE, "precision": "float32", "report": False, **changes})
    ScanSegmentation(str(folder / "scan.tif"), folder / "out", model, settings).run()
    return tuple(json.loads((folder / "out" / name).read_text()) for name in ("manifest.json", "porosity.json"))


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)


def test_an_earlier_model_knows_nothing_and_says_so(old: TrainedModel, tmp_path: Path, capsys, caplog) -> None:
    with caplog.at_level("INFO", "vlsenet"):
        manifest, porosity = segmented(tmp_path, noise(), old)
    assert manifest["familiarity"]["level"] == "unknown"
    assert "Nothing is known of whether this scan is like the training images" in caplog.text
    assert (manifest["model"], manifest["model_error"]) == (None, {})
    assert porosity["interval_95"] == porosity["interval_95_field_to_field"]
    assert porosity["interval_95_is_of"] == "sampling alone"
    printed = capsys.readouterr().out
    assert "95 % interval of sampling alone" in printed
    assert "far off" not in printed


def test_a_known_scan_has_an_interval_with_the_models_error(model: TrainedModel, tmp_path: Path, capsys) -> None:
    manifest, porosity = segmented(tmp_path, generate((512, 512), 100).image, model)
    assert manifest["familiarity"]["level"] == "like"
    assert manifest["model"]["trained_on"] == "synthetic rock"
    assert manifest["model_error"]["pore"]["absolute"] == pytest.approx(0.01)
    expected = model.error_of("pore").interval(porosity["porosity"], *porosity["interval_95_field_to_field"])
    assert porosity["interval_95"] == pytest.approx(expected)
    assert porosity["interval_95_is_of"] == "sampling and model"
    assert "with the model's own error; from field to field" in capsys.readouterr().out


def test_noise_is_far_off_without_the_models_error(model: TrainedModel, tmp_path: Path, capsys, caplog) -> None:
    manifest, porosity = segmented(tmp_path, noise(), model, report=True)
    assert manifest["familiarity"]["level"] == "far off"
    assert porosity["interval_95_is_of"] == "sampling alone"
    (told,) = [record.getMessage() for record in caplog.records if "far off from all" in record.getMessage()]
    assert "label a few fields or strokes of such scans, and train on them: vlsenet train my_rock --output_dir " in told
    assert told.endswith(f"--start_from {model.path}")
    printed = capsys.readouterr().out
    assert "the scan is not like the training images" in printed
    assert "don't use the numbers" in printed
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'class="notice far-off"' in page
    assert "Otsu&#39;s threshold" in page
    assert "A model" in page


def test_otsu_stands_beside(old: TrainedModel, tmp_path: Path, capsys) -> None:
    image = generate((SIDE, SIDE), 3).image
    _, porosity = segmented(tmp_path, image, old, flatten_shading=False)
    expected = float((image <= threshold_otsu(image)).mean())
    assert porosity["otsu_porosity"] == pytest.approx(expected, abs=0.02)  # of bins over other grey levels
    assert f"by Otsu's threshold {porosity['otsu_porosity']:.4f}" in capsys.readouterr().out
    assert otsu_share(np.zeros((1, 8, 8))) is None
