from __future__ import annotations

import errno
import html
import json
import logging
import os
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine
from scipy.stats import hmean
from skimage.filters import threshold_otsu
from skimage.morphology import skeletonize
from sklearn.metrics import f1_score

from pipeline.errors import UserError
from pipeline.foreground.whole_image import normalised_image
from pipeline.metrics import PoreScores, Tolerances
from pipeline.phases import LabelValues, Phase
from pipeline.workflows import EvaluationReport, ImageProgress, evaluation_about, evaluation_samples


def masks(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    truth = (torch.rand(1, 20, 31, generator=rng) < 0.2).float()
    wrong = (torch.rand(1, 20, 31, generator=rng) < 0.1).float()
    image = 1 - truth + 0.4 * torch.randn(1, 20, 31, generator=rng)
    return image, (truth + wrong) % 2, truth


def evaluate(folder, names) -> None:
    def infer(engine, name):
        image, pred, label = masks(names.index(name))
        engine.state.batch = [{"name": name, "source": name[0], "prompt": "pore"}]
        # at 0.5 all of `pred` and the first row: another mask than at the model's threshold
        probability = torch.where(torch.arange(20)[:, None] == 0, 0.6, 0.8 * pred)
        return [{"image": image, "pred": pred, "label": label, "probability": probability}]

    engine = Engine(infer)
    EvaluationReport(str(folder), {"checkpoint_sha256": "abc", "split": "val"}, Tolerances(), {"a1": 20.0}).attach(
        engine
    )
    engine.run(names)


def test_the_table_and_the_summary_hold_what_scikit_learn_says(tmp_path, capsys):
    names = ["b1", "a1", "a2"]
    evaluate(tmp_path, names)
    table = pd.read_csv(tmp_path / "per_image.csv").set_index("name")
    assert list(table.index) == ["a1", "a2", "b1"]
    every = [masks(index) for index in range(3)]
    for name, (image, pred, label) in zip(names, every, strict=True):
        row, truth = table.loc[name], label.flatten().numpy()
        assert row["dice"] == pytest.approx(f1_score(truth, pred.flatten().numpy()), abs=1e-6)
        assert row["porosity_error"] == pytest.approx(abs(float(pred.mean() - label.mean())), abs=1e-6)
        flat = normalised_image(image[0].numpy(), name)
        otsu = flat <= threshold_otsu(flat)
        assert row["otsu_dice"] == pytest.approx(f1_score(truth, otsu.ravel()), abs=1e-6)
        half = pred.clone()
        half[0, 0] = 1
        assert row["dice_at_half"] == pytest.approx(f1_score(truth, half.flatten().numpy()), abs=1e-6)
        skeletons = skeletonize(pred[0].numpy() > 0), skeletonize(label[0].numpy() > 0)
        shares = [mask[0].numpy()[skeleton].mean() for skeleton, mask in zip(skeletons, (label, pred), strict=True)]
        assert row["cl_dice"] == pytest.approx(hmean(shares), abs=1e-6)
        assert (tmp_path / "overlays" / f"{name}.png").exists()
    summary = json.loads((tmp_path / "summary.json").read_text())
    pooled = [torch.cat([item[i].flatten() for item in every]).numpy() for i in (1, 2)]
    assert summary["pooled"]["dice"] == pytest.approx(f1_score(pooled[1], pooled[0]))
    assert summary["mean"]["dice"] == pytest.approx(table["dice"].mean(), abs=1e-6)
    assert summary["checkpoint_sha256"] == "abc"
    assert sum(summary["counts"]["pixels"].values()) == summary["pixels"] == 3 * 20 * 31
    assert PoreScores.from_dict(summary["counts"]).scores()["dice"] == summary["pooled"]["dice"]
    assert sum(summary["counts"]["calibration"]["pixels"]) == summary["pixels"]
    pores = pd.read_csv(tmp_path / "per_pore.csv")
    for name, (_, pred, label) in zip(names, every, strict=True):
        mine = pores[pores["name"] == name]
        assert (mine["source"] == name[0]).all()
        assert mine["area_px"].sum() == label.sum()
        assert (mine["area_px"] * mine["found"]).sum() == pytest.approx(float((pred * label).sum()), rel=1e-3)
        assert (tmp_path / "truth" / f"{name}.png").exists()
    assert list(pores) == ["name", "source", "area_px", "aspect_ratio", "orientation_deg", "found"]
    assert pores.loc[pores["area_px"] == 1, ["aspect_ratio", "orientation_deg"]].isna().all(axis=None)
    assert min(table["cl_dice"]) < summary["pooled"]["cl_dice"] < max(table["cl_dice"])
    assert table["pixel_size_nm"].to_dict() == pytest.approx({"a1": 20, "a2": np.nan, "b1": np.nan}, nan_ok=True)
    printed = capsys.readouterr().out
    assert "pooled pixels" in printed
    assert f"{summary['pooled']['cl_dice']:.3f}" in printed


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_what_ends_an_evaluation_is_told_once(caplog, error):
    def end(engine, batch):
        raise error

    engine = Engine(end)
    ImageProgress(1).attach(engine)
    with pytest.raises(type(error)):
        engine.run([0])
    assert not caplog.records


def test_a_full_disk_leaves_no_part_of_an_evaluation(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pipeline.workflows.evaluation.write_evaluation_page", full)
    with pytest.raises(OSError, match="No space left"):
        evaluate(tmp_path, ["a1"])
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".png"}  # pictures of images
    monkeypatch.undo()
    evaluate(tmp_path, ["a1"])
    assert {"per_image.csv", "per_pore.csv", "summary.json", "report.html"} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_an_image_of_the_training_is_told(caplog):
    samples = [SimpleNamespace(name=n, image_sha256=n * 2, split="val") for n in "abc"]
    index = SimpleNamespace(samples=samples, select=lambda split: samples)
    for sample in samples:
        sample.values = LabelValues.of_pore(1)
    model = SimpleNamespace(data={"train_images": ["bb"]}, phases=[Phase.of("pore")])
    with caplog.at_level(logging.WARNING, "vlsenet"):
        assert evaluation_samples(index, "val", model) == samples
    assert "1 of 3 images" in caplog.text
    assert "b" in caplog.text


def test_phases_that_the_model_does_not_know_are_told(caplog):
    names = ("pore", "crack")
    values = LabelValues(tuple(map(Phase.of, names)), ((1,), (2,)))
    samples = [SimpleNamespace(name="a", image_sha256="aa", split="val", values=values)]
    index = SimpleNamespace(samples=samples, select=lambda split: samples, roots=["rock"])

    def model(*phases):
        return SimpleNamespace(data={"train_images": []}, phases=[Phase.of(one) for one in phases], path="best.pt")

    with caplog.at_level(logging.WARNING, "vlsenet"):
        evaluation_samples(index, "val", model("pore", "crack", "silt"))
        evaluation_samples(index, "val", model("pore"))  # all but pore is rock to it
        assert not caplog.text
        evaluation_samples(index, "val", model("pore", "silt"))
    assert "the labels name crack, which the model does not know" in caplog.text
    with pytest.raises(
        UserError, match=r"labels of rock name pore, crack, and best\.pt knows cracks: there is nothing"
    ):
        evaluation_samples(index, "val", model("cracks"))


def test_scores_that_are_undefined_are_null(tmp_path):
    def infer(engine, name):
        engine.state.batch = [{"name": name, "source": name, "prompt": "pore"}]
        empty = torch.zeros(1, 8, 8)
        return [{"image": torch.rand(1, 8, 8), "pred": empty, "label": empty}]

    engine = Engine(infer)
    EvaluationReport(str(tmp_path), {}).attach(engine)
    engine.run(["solid"])
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["pooled"]["precision"] is None
    assert summary["pooled"]["dice"] == 1
    assert np.isnan(pd.read_csv(tmp_path / "per_image.csv").loc[0, "recall"])


@pytest.mark.parametrize("threshold", [0.25, 0.6])
def test_a_threshold_that_suits_the_images_better_is_told(tmp_path, caplog, threshold):
    truth = torch.zeros(1, 32, 32)
    truth[:, :8] = 1
    probability = truth * 0.4 + 0.3 + 0.2 * torch.rand(truth.shape, generator=torch.Generator().manual_seed(0))

    def infer(engine, name):
        engine.state.batch = [{"name": name, "source": name, "prompt": "pore"}]
        pred = (probability >= threshold).float()
        return [{"image": 1 - truth, "pred": pred, "label": truth, "probability": probability}]

    engine = Engine(infer)
    EvaluationReport(str(tmp_path), {}).attach(engine)
    with caplog.at_level(logging.INFO, "vlsenet"):
        engine.run(["a"])
    suited = json.loads((tmp_path / "summary.json").read_text())["suited_threshold"]
    # pores have 0.7 or more, and the rest less than 0.5
    assert 0.5 <= suited["threshold"] <= 0.7
    assert suited["dice"] == 1
    assert suited["porosity"] == pytest.approx(0.25)
    assert ("chosen on these 1 images themselves" in caplog.text) == (threshold == 0.25)
    assert "--threshold" not in caplog.text  # one image says nothing of others


def run_on(folder, names, probability, truth, image=None, threshold=0.5):
    """Evaluate images that have the same probabilities and truth (1, H, W)."""

    def infer(engine, name):
        engine.state.batch = [{"name": name, "source": name, "prompt": "pore"}]
        pred = (probability >= threshold).float()
        return [
            {"image": 1 - truth if image is None else image, "pred": pred, "label": truth, "probability": probability}
        ]

    engine = Engine(infer)
    EvaluationReport(str(folder), {}).attach(engine)
    engine.run(names)
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.parametrize("low", [0.02, 0.9])
def test_thresholds_are_sought_in_the_whole_range(tmp_path, caplog, low):
    """Pores a little above, rock a little below a threshold beyond those that a training may choose."""
    truth = torch.zeros(1, 32, 32)
    truth[:, :8] = 1
    with caplog.at_level(logging.INFO, "vlsenet"):
        summary = run_on(tmp_path, [f"a{n}" for n in range(10)], low + 0.05 * truth, truth)
    assert low < summary["suited_threshold"]["threshold"] <= low + 0.05
    assert f"--threshold {summary['suited_threshold']['threshold']:.3g} takes it; score it on other" in caplog.text


def test_no_threshold_from_the_end_of_the_search(tmp_path, caplog):
    """Rock at 1 and pores at 1 but for some: only the last threshold is better than another."""
    truth = torch.zeros(1, 32, 32)
    truth[:, :8] = 1
    with caplog.at_level(logging.INFO, "vlsenet"):
        summary = run_on(tmp_path, [f"a{n}" for n in range(10)], torch.where(truth > 0, 1.0, 0.994), truth)
    assert summary["suited_threshold"] is None
    assert "--threshold" not in caplog.text


def test_a_model_that_is_worse_than_otsus_threshold_is_named(tmp_path, caplog):
    truth = torch.zeros(1, 32, 32)
    truth[:, :8] = 1
    half = torch.zeros(1, 32, 32)
    half[:, :4] = 1
    grey = 160 - 80 * truth + 5 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    run_on(tmp_path, ["a"], half, truth, grey)
    assert "Otsu's threshold is better than the model: Dice 0.998, and 0.667 by the model" in caplog.text
    caplog.clear()
    run_on(tmp_path, ["a"], truth, truth, grey)
    assert "better than the model" not in caplog.text


def told(folder, caplog, probability, truth, about) -> str:
    """What an evaluation says on thresholds, of one image and its probabilities (H, W)."""
    caplog.clear()

    def infer(engine, name):
        engine.state.batch = [{"name": name, "source": name, "prompt": "pore"}]
        pred = (probability >= about["threshold"]).float()
        arrays = {"image": 1 - truth, "pred": pred, "label": truth, "probability": probability}
        return [{key: array[None] for key, array in arrays.items()}]

    engine = Engine(infer)
    EvaluationReport(str(folder), about).attach(engine)
    with caplog.at_level(logging.INFO, "vlsenet"):
        engine.run(["a"])
    return caplog.text


@pytest.mark.parametrize("threshold", [0.3, 0.36, 0.6])
def test_a_threshold_that_makes_everything_pore_is_not_recommended(tmp_path, caplog, threshold):
    rng = torch.Generator().manual_seed(0)
    truth = (torch.rand(64, 64, generator=rng) < 0.0739).float()
    said = told(tmp_path, caplog, 0.34 + 0.04 * torch.rand(64, 64, generator=rng), truth, {"threshold": threshold})
    assert "chosen on these" not in said
    assert "better than calling everything pore: Dice 0.1" in said
    assert json.loads((tmp_path / "summary.json").read_text())["suited_threshold"] is None


def test_of_images_without_pores_no_threshold_is_recommended(tmp_path, caplog):
    rng = torch.Generator().manual_seed(0)
    said = told(tmp_path, caplog, torch.rand(32, 32, generator=rng) / 2, torch.zeros(32, 32), {"threshold": 0.3})
    assert "chosen on these" not in said
    assert "calling everything" not in said
    assert "no pore anywhere is as near to the true porosity (0.0000) as the model, which finds 0.3984" in said


@pytest.mark.parametrize(("found", "worse"), [(0, False), (12, False), (15, False), (16, True), (64, True)])
def test_a_model_that_is_off_by_more_than_no_pore_at_all_is_told_so(tmp_path, caplog, found, worse):
    truth, probability = torch.zeros(64, 64), torch.full((64, 64), 0.1)
    truth[:8] = 1
    probability[:found] = 0.9
    said = told(tmp_path, caplog, probability, truth, {"threshold": 0.5})
    assert ("no pore anywhere is as near to the true porosity (0.1250)" in said) == worse


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"threshold": 0.25, "model_threshold": 0.25}, "threshold 0.25 (the model's): Dice 0.400, porosity 1.0000"),
        (
            {"threshold": 0.25, "model_threshold": 0.695},
            "threshold 0.25 (the model's: 0.695): Dice 0.400, porosity 1.0",
        ),
        ({"threshold": 0.6}, "threshold 0.6: Dice 1.000, porosity 0.2500 (true: 0.2500)"),
    ],
)
def test_the_threshold_in_use_is_told(tmp_path, caplog, about, said):
    truth = torch.zeros(32, 32)
    truth[:8] = 1
    text = told(tmp_path, caplog, truth * 0.4 + 0.4, truth, about)
    assert said in text
    assert ("chosen on these" in text) == (about["threshold"] == 0.25)
    assert "calling everything" not in text


def test_the_summary_knows_the_model_s_own_threshold(tmp_path):
    model = SimpleNamespace(
        path=tmp_path, sha256="ab", network_settings={}, threshold=0.7, reads_prompt=True, about=None
    )
    model.thresholds_for, model.named = lambda given: (given,), lambda thresholds: thresholds[0]
    index = SimpleNamespace(roots=(tmp_path,), fingerprint=lambda: {"hash": "cd"}, pore_label=1)
    about = evaluation_about(model, index, "val", 0.4, {"mirror": True})
    assert (about["threshold"], about["model_threshold"], about["mirror"]) == (0.4, 0.7, True)


def test_the_page_has_the_scores_the_worst_images_and_no_link(tmp_path):
    names = ["b1", "a1", "<a2>"]
    evaluate(tmp_path, names)
    page = (tmp_path / "report.html").read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())
    table = pd.read_csv(tmp_path / "per_image.csv").sort_values("dice")
    assert f"Dice {summary['mean']['dice']:.4f} on average over 3 images" in page
    assert f"<td>{summary['pooled']['cl_dice']:.4f}</td>" in page
    assert "<a2>" not in page
    assert "&lt;a2&gt;" in page
    assert page.index(f">{html.escape(table['name'].iloc[0])}: Dice") < page.index(
        f">{html.escape(table['name'].iloc[-1])}: Dice"
    )
    assert page.count("data:image/jpeg;base64,") == 2 * 3
    assert not re.search(r"(?:src|href)=.(?!data:)", page)
