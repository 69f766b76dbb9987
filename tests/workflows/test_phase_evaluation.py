from __future__ import annotations

import json
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine
from sklearn.metrics import f1_score

from pipeline.phases import decided
from pipeline.workflows import EvaluationReport


def test_the_area_of_another_phase_alone_is_not_called_porosity(tmp_path, caplog):
    truth = torch.zeros(1, 32, 32)
    truth[:, :8] = 1

    def infer(engine, name):
        engine.state.batch = [{"name": name, "source": name, "prompt": "crack"}]
        return [{"image": 1 - truth, "pred": truth, "label": truth, "probability": truth}]

    engine = Engine(infer)
    EvaluationReport(str(tmp_path), {"threshold": 0.5}, phases=("crack",)).attach(engine)
    with caplog.at_level(logging.INFO, "vlsenet"):
        engine.run(["a"])
    assert "area of crack 0.2500 (true: 0.2500)" in caplog.text
    assert "porosity" not in caplog.text


def test_each_phase_is_scored_where_an_image_s_labels_name_it(tmp_path, caplog):
    rng = np.random.default_rng(5)
    images = {}
    for name in ("a", "b"):
        codes = rng.integers(0, 4, (24, 30))
        target = np.stack([codes == 1, codes == 2, codes == 3]).astype(np.float32)
        target[:, :, :7] = -1  # strokes
        images[name] = target, (rng.random((3, 24, 30)) < 0.3).astype(np.float32)
    images["b"][0][1] = -1  # of a data set that does not name silt
    for target, _ in images.values():
        target[2] = -1  # nobody labelled cracks

    def infer(engine, name):
        target, predicted = map(torch.from_numpy, images[name])
        engine.state.batch = [{"name": name, "source": name, "prompt": ["pore", "grain of silt", "crack"]}]
        return [{"image": torch.rand(1, 24, 30), "pred": predicted, "label": target, "probability": 0.8 * predicted}]

    engine = Engine(infer)
    about = {"threshold": 0.5, "model_threshold": {"pore": 0.5, "silt": 0.4, "crack": 0.5}}
    with caplog.at_level(logging.INFO, "vlsenet"):
        EvaluationReport(str(tmp_path), about, phases=("pore", "silt", "crack")).attach(engine)
        engine.run(["a", "b"])
    table = pd.read_csv(tmp_path / "per_image.csv")
    assert list(zip(table["name"], table["phase"], table["prompt"], strict=True)) == [
        ("a", "pore", "pore"),
        ("b", "pore", "pore"),
        ("a", "silt", "grain of silt"),
    ]
    for _, row in table.iterrows():
        k = ("pore", "silt").index(row["phase"])
        target, predicted = images[row["name"]]
        known = target[k] >= 0
        truth, found = target[k][known], predicted[k][known]
        assert row["dice"] == pytest.approx(f1_score(truth, found), abs=1e-6)
        assert row["area_error"] == pytest.approx(abs(truth.mean() - found.mean()), abs=1e-6)
        assert row["pixels"] == known.sum()
    assert np.isnan(table["otsu_dice"].iloc[2])  # finds what is dark
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert set(summary["phases"]) == {"pore", "silt"}
    dice = [summary["phases"][phase]["pooled"]["dice"] for phase in ("pore", "silt")]
    assert summary["pooled"]["dice"] == pytest.approx(np.mean(dice))
    assert "no image has labels for the phase crack" in caplog.text
    assert "threshold 0.5 (the model's: 0.4)" in caplog.text
    assert (tmp_path / "overlays" / "a_silt.png").exists()
    assert not (tmp_path / "overlays" / "b_silt.png").exists()


def test_a_threshold_of_one_of_several_phases_is_sought_among_the_others(tmp_path, caplog):
    """What it is said to give is what the masks have with it, where another phase takes its pixels as ever."""
    rng = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 3, (40, 50), generator=rng)
    target = torch.stack([codes == 1, codes == 2]).float()
    probability = (0.5 * target + 0.5 * torch.rand(2, 40, 50, generator=rng)).clamp(0, 1)
    probability[0] = probability[0] * 0.6 + 0.1 * (codes == 0)
    thresholds = {"pore": 0.7, "silt": 0.3}

    def infer(engine, name):
        engine.state.batch = [{"name": name, "source": name, "prompt": ["pore", "silt"]}]
        masks = decided(probability.numpy(), list(thresholds.values())) == np.array([1, 2])[:, None, None]
        pred = torch.from_numpy(masks.astype(np.float32))
        return [{"image": torch.rand(1, 40, 50), "pred": pred, "label": target, "probability": probability}]

    engine = Engine(infer)
    about = {"threshold": thresholds, "model_threshold": thresholds}
    EvaluationReport(str(tmp_path), about, phases=("pore", "silt")).attach(engine)
    with caplog.at_level(logging.INFO, "vlsenet"):
        engine.run([f"image{number}" for number in range(10)])
    suited = json.loads((tmp_path / "summary.json").read_text())["phases"]["pore"]["suited_threshold"]
    found = decided(probability.numpy(), [suited["threshold"], thresholds["silt"]]) == 1
    assert suited["dice"] == pytest.approx(f1_score(codes.flatten() == 1, found.ravel()))
    assert suited["porosity"] == pytest.approx(found.mean())
    assert f"--threshold 'pore={suited['threshold']:.3g}' takes it" in caplog.text
    assert "(those of the other phases as they are)" in caplog.text
