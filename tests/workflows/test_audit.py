from __future__ import annotations

import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine

from pipeline.metrics import PoreCounts
from pipeline.networks import build_network
from pipeline.synthetic import write_dataset
from pipeline.text import build_text_source
from pipeline.text.features import TextFeatures
from pipeline.tracking import outbox
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.workflows import TextAudit, encode_prompts, model_content, open_dataset
from pipeline.workflows.audited_text import Condition
from pipeline.workflows.bundle_workflow import run_config

SCORES = ["dice", "iou", "precision", "recall", "porosity_error"]


def run_bundle(config: str, **options) -> None:
    run_config(config, logging_file=False, split="all", **options)


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """Three images with two prompts, a network that text moves, and its audit."""
    folder = tmp_path_factory.mktemp("audit")
    write_dataset(folder / "rock", 3, shape=(64, 80), seed=3, val=1, test=0, text=True)
    for number, file in enumerate(sorted((folder / "rock" / "text").iterdir())):
        file.write_text("thin pores" if number else "round\npores | vugs")
    index = open_dataset(str(folder / "rock"))
    torch.manual_seed(0)
    settings = {"network": "vlsenet", "preset": "small", "text_dim": 256, "norm": "instance"}
    network = build_network(**settings)
    for parameter in network.lscm.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)  # it starts near a U-Net, which reads nothing
    content = model_content(network, settings, encode_prompts(index, build_text_source("random")), index, {})
    torch.save(content, folder / "best.pt")
    options = {"dataset_dir": str(folder / "rock"), "checkpoint": str(folder / "best.pt"), "device": "cpu"}
    run_bundle("audit", output_dir=str(folder / "audit"), **options)
    for name in ("own", "shuffled", "generic"):
        shutil.copytree(folder / "rock", folder / name)
    for file in sorted((folder / "shuffled" / "text").iterdir()):
        file.write_text("thin pores" if "round" in file.read_text() else "round pores | vugs")
    shutil.rmtree(folder / "generic" / "text")
    for name in ("own", "shuffled", "generic"):
        options["dataset_dir"] = str(folder / name)
        run_bundle("evaluate", output_dir=str(folder / f"{name}_scores"), sentences=True, **options)
    return folder


@pytest.fixture(scope="module")
def table(work) -> pd.DataFrame:
    return pd.read_csv(work / "audit" / "audit.csv", keep_default_na=False).set_index("condition")


@pytest.mark.parametrize("name", ["own", "shuffled", "generic"])
def test_each_condition_scores_as_an_evaluation_of_such_texts(work, table, name):
    summary = json.loads((work / f"{name}_scores" / "summary.json").read_text())
    expected = [*(summary["pooled"][score] for score in SCORES[:4]), summary["mean"]["porosity_error"]]
    assert [float(value) for value in table.loc[name, SCORES]] == pytest.approx(expected, abs=2e-6)


def test_only_the_own_prompt_changes_nothing(table):
    assert list(table.index) == ["own", "shuffled", "generic", "empty", "random", "zeros"]
    changed = table["changed_probability"].astype(float)
    assert changed["own"] == float(table.loc["own", "flipped_pixels"]) == 0
    assert (changed.drop("own") > 1e-4).all()


def test_the_files_and_the_run_say_the_same(work, table):
    content = json.loads((work / "audit" / "audit.json").read_text())
    assert content["text"]["source"] == "random"
    assert content["split"] == "all"
    assert len(content["images"]) == 3 * 6
    client = mlflow.MlflowClient(f"sqlite:///{work}/audit/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("vlsenet").experiment_id])
    assert run.info.status == "FINISHED"
    for row in content["conditions"]:
        assert row["dice"] == pytest.approx(float(table.loc[row["condition"], "dice"]), abs=1e-6)
        assert run.data.metrics[f"{row['condition']}/dice"] == row["dice"]
    assert run.data.params["text.source"] == "random"
    paths = {item.path for item in client.list_artifacts(run.info.run_id, "audit")}
    assert paths == {"audit/audit.csv", "audit/audit.json", "audit/audit.png"}


def audit_of(folder: Path, batches: list[tuple[str, str, torch.Tensor, torch.Tensor]]) -> TextAudit:
    """An audit over probabilities (1, H, W) that are given."""

    def infer(engine, batch):
        name, condition, probability, label = batch
        engine.state.batch = [{"name": name, "condition": condition}]
        return [{"pred": probability, "label": label}]

    engine = Engine(infer)
    features = TextFeatures(torch.zeros(4), torch.zeros(2, 4))
    conditions = [
        Condition("own", lambda item: features),
        Condition("empty", None, "not run: no features"),
        Condition("zeros", lambda item: features),
    ]
    tracked = TrackedRun(None, "rock", None, str(folder), {}, {})
    run = engine.run
    engine.run = lambda: run(batches)  # MONAI's evaluator knows its data
    return TextAudit(str(folder), engine, conditions, (0.4,), tracked, {"split": "val"})


def test_changes_and_flips_are_counted_over_all_pixels(tmp_path, capsys):
    rng = torch.Generator().manual_seed(0)
    shapes = {"a": (1, 9, 7), "b": (1, 20, 31)}
    images = {n: tuple(torch.rand(s, generator=rng) for _ in range(3)) for n, s in shapes.items()}
    batches = []
    for name, (own, other, label) in images.items():
        batches += [(name, "own", own, (label > 0.7).float()), (name, "zeros", other, (label > 0.7).float())]
    audit = audit_of(tmp_path, batches)
    audit.prepare({})
    audit.run()
    own, other, label = (np.concatenate([images[n][i].numpy().ravel() for n in "ab"]) for i in range(3))
    table = pd.read_csv(tmp_path / "audit.csv").set_index("condition")
    assert table.loc["zeros", "changed_probability"] == pytest.approx(np.abs(own - other).mean(), abs=1e-6)
    assert table.loc["zeros", "flipped_pixels"] == pytest.approx(((own >= 0.4) != (other >= 0.4)).mean(), abs=1e-6)
    counts = PoreCounts.of(torch.from_numpy(other >= 0.4), torch.from_numpy(label > 0.7))
    assert table.loc["zeros", "dice"] == pytest.approx(counts.dice, abs=1e-6)
    errors = [abs(float((o >= 0.4).float().mean() - (t > 0.7).float().mean())) for _, o, t in images.values()]
    assert table.loc["zeros", "porosity_error"] == pytest.approx(np.mean(errors), abs=1e-6)
    assert np.isnan(table.loc["empty", "dice"])
    printed = capsys.readouterr().out
    assert "empty: not run: no features" in printed


def test_undefined_scores_are_null_and_not_logged(tmp_path):
    nothing = torch.zeros(1, 8, 8)
    audit = audit_of(tmp_path, [("a", "own", nothing, nothing), ("a", "zeros", nothing, nothing)])
    audit.prepare({})
    audit.run()
    content = json.loads((tmp_path / "audit.json").read_text())
    assert content["conditions"][0]["precision"] is None
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("rock").experiment_id])
    assert run.data.metrics["own/dice"] == 1
    assert "own/precision" not in run.data.metrics


def test_an_audit_is_done_while_the_store_is_away_and_sent_later(tmp_path, monkeypatch):
    label = torch.ones(1, 8, 8)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "open_client", lambda _: (_ for _ in ()).throw(mlflow.MlflowException("refused")))
        audit = audit_of(tmp_path, [("a", "own", label, label), ("a", "zeros", label, label)])
        audit.prepare({})
        audit.run()
    assert (tmp_path / "audit.csv").exists()
    assert outbox.send_unsent(tmp_path)[1] == 0
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("rock").experiment_id])
    assert (run.data.metrics["own/dice"], run.info.status) == (1, "FINISHED")
    assert len(client.list_artifacts(run.info.run_id, "audit")) == 3


def test_an_audit_that_fails_is_marked_and_leaves_no_table(tmp_path):
    wrong_order = [("a", "zeros", torch.zeros(1, 8, 8), torch.zeros(1, 8, 8))]
    audit = audit_of(tmp_path, wrong_order)
    audit.prepare({})
    with pytest.raises(ValueError, match="must come before"):
        audit.run()
    assert not (tmp_path / "audit.csv").exists()
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("rock").experiment_id])
    assert run.info.status == "FAILED"


def test_a_training_stores_what_an_audit_compares_with(work):
    store = encode_prompts(open_dataset(str(work / "rock")), build_text_source("none"))
    assert store.prompts == ("pore", "", "round pores | vugs", "thin pores")
