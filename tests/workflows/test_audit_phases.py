"""An audit of a model of several phases."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine
from PIL import Image

from pipeline.errors import UserError
from pipeline.networks import build_network
from pipeline.phases import LabelValues, Phase
from pipeline.synthetic import write_dataset
from pipeline.text import build_text_source, build_text_store
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.workflows import (
    ConditionFeatures,
    TextAudit,
    audit_items,
    encode_prompts,
    model_content,
    open_dataset,
    text_conditions,
)
from pipeline.workflows.audit_phases import phrase_exchange
from pipeline.workflows.bundle_workflow import run_config
from pipeline.workflows.model_file import TrainedModel

PHASES = tuple(map(Phase.of, ("pore", "silt grain", "crack")))
NAMES = [phase.name for phase in PHASES]
NARROW = [8, 8, 16, 16, 32]


def values(*names: str) -> LabelValues:
    return LabelValues(tuple(map(Phase.of, names)), tuple((k,) for k in range(1, 1 + len(names))))


ITEMS = [
    {"name": "a", "values": values("silt grain", "pore")},
    {"name": "b", "values": values(*NAMES)},
    {"name": "c", "values": values("crack")},
]


def model(source: str, **settings) -> TrainedModel:
    settings = {"network": "vlsenet", "features": NARROW, "text_dim": 256, "phases": 3, **settings}
    torch.manual_seed(0)
    text = build_text_store(build_text_source(source, phases=NAMES), ["", *NAMES])
    data = {"phases": [phase.to_dict() for phase in PHASES]}
    return TrainedModel(build_network(**settings).eval(), settings, text, (0.5,) * 3, data, Path("best.pt"), "")


@pytest.mark.parametrize("seed", range(5))
def test_the_phases_of_a_data_set_swap_their_phrases_among_themselves(seed):
    assert phrase_exchange(NAMES, ("silt grain", "pore"), seed) == {
        "pore": "silt grain",
        "silt grain": "pore",
        "crack": "crack",
    }
    for named in (NAMES, ["crack"]):
        other = phrase_exchange(NAMES, named, seed)
        assert sorted(other.values()) == sorted(NAMES)
        assert all(own != others for own, others in other.items())


def test_the_conditions_are_what_they_are_called():
    audited = model("random")
    conditions = {condition.name: condition for condition in text_conditions(audited, ITEMS, seed=2)}
    assert list(conditions) == ["own", "exchanged", "empty", "random", "zeros"]
    stored = [audited.text.get(name) for name in NAMES]
    for item in ITEMS:
        asked = {name: condition.features(item) for name, condition in conditions.items()}
        other = phrase_exchange(NAMES, item["values"].names, 2)
        for number, name in enumerate(NAMES):
            assert torch.equal(asked["own"].tokens[number], stored[number].tokens)
            assert torch.equal(asked["exchanged"].tokens[number], stored[NAMES.index(other[name])].tokens)
            assert torch.equal(asked["empty"].text[number], audited.text.get("").text)
        assert asked["zeros"].text.abs().max() == 0
        assert asked["random"].text.unique(dim=0).shape == (3, 256)
    same_phases = text_conditions(audited, ITEMS[:1], seed=2)[1]
    assert same_phases.note == "pore asked as silt grain, silt grain asked as pore, crack asked as crack"
    items = audit_items(ITEMS, list(conditions.values()))
    assert ConditionFeatures(list(conditions.values()))(items[1])["text"].shape == (3, 256)


def test_learned_vectors_are_exchanged_and_answer_as_in_the_network():
    audited = model("learned", learned_text=True)
    image, given = torch.rand(1, 1, 32, 48), audited.text.together(NAMES)
    with torch.no_grad():
        expected = audited.network(image, given.text[None], given.tokens[None])
        own, exchanged = (one.features(ITEMS[1]) for one in text_conditions(audited, ITEMS)[:2])
        again = audited.network(image, own.text[None], own.tokens[None])
        other = audited.network(image, exchanged.text[None], exchanged.tokens[None])
    torch.testing.assert_close(again, expected)
    order = [NAMES.index(name) for name in phrase_exchange(NAMES, NAMES, 0).values()]
    torch.testing.assert_close(other, expected[:, order])
    assert not torch.allclose(other, expected, atol=1e-4)


@pytest.mark.parametrize(("source", "network"), [("none", "vlsenet"), ("random", "unet")])
def test_without_text_of_its_own_for_each_phase_there_is_nothing_to_audit(source, network):
    with pytest.raises(UserError, match="nothing to audit") as caught:
        text_conditions(model(source, network=network), ITEMS)
    assert len(str(caught.value).splitlines()) == 1


def audit_of(folder: Path, own: np.ndarray, other: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    """Two images (2, K, H, W) with their own probabilities, and others where phases are exchanged."""

    def infer(engine, item):
        number, condition = item
        engine.state.batch = [{"name": f"image {number}", "condition": condition}]
        probability = {"own": own, "exchanged": other}[condition][number]
        return [{"pred": torch.from_numpy(probability), "label": torch.from_numpy(label[number])}]

    engine = Engine(infer)
    conditions = text_conditions(model("random"), ITEMS)[:2]
    tracked = TrackedRun(None, "rock", None, str(folder), {}, {})
    run = engine.run
    engine.run = lambda: run([(number, name) for number in range(len(label)) for name in ("own", "exchanged")])
    audit = TextAudit(str(folder), engine, conditions, (0.4, 0.6), tracked, {"split": "val"}, ("pore", "silt grain"))
    audit.prepare({})
    audit.run()
    return pd.read_csv(folder / "audit.csv").set_index(["phase", "condition"])


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return 2 * (mask & truth).sum() / (mask.sum() + truth.sum())


def test_phases_are_scored_by_themselves_over_known_pixels_only(tmp_path, caplog):
    random = np.random.default_rng(0)
    label = random.integers(-1, 2, (2, 2, 20, 30)).astype(np.float32)
    label[1, 1] = -1  # the second image says nothing of silt
    own, other = (random.random(label.shape).astype(np.float32) for _ in range(2))
    own = np.clip(own + 0.4 * (label > 0), 0, 1)
    with caplog.at_level(logging.INFO, "vlsenet"):
        table = audit_of(tmp_path, own, other, label)
    for number, (phase, threshold) in enumerate((("pore", 0.4), ("silt grain", 0.6))):
        known = label[:, number] >= 0
        for name, probability in (("own", own), ("exchanged", other)):
            mask, truth = probability[:, number][known] >= threshold, label[:, number][known] > 0
            row = table.loc[phase, name]
            assert row["dice"] == pytest.approx(dice(mask, truth), abs=1e-6)
            flipped = mask != (own[:, number][known] >= threshold)
            assert row["flipped_pixels"] == pytest.approx(flipped.mean(), abs=1e-6)
            errors = [
                abs((p >= threshold)[t >= 0].mean() - (t[t >= 0] > 0).mean())
                for p, t in zip(probability[:, number], label[:, number], strict=True)
                if (t >= 0).any()
            ]
            assert row["area_error"] == pytest.approx(np.mean(errors), abs=1e-6)
    mean = table.loc["mean of phases"]
    each = [table.loc[phase, "own"]["dice"] for phase in ("pore", "silt grain")]
    assert mean.loc["own", "dice"] == pytest.approx(np.mean(each), abs=2e-6)
    fall = mean.loc["own", "dice"] - mean.loc["exchanged", "dice"]
    assert f"Dice falls by {fall:.3f}, from {mean.loc['own', 'dice']:.3f} to" in caplog.text

    content = json.loads((tmp_path / "audit.json").read_text())
    rows = [(row["name"], row["condition"], row["phase"]) for row in content["images"]]
    assert rows == [
        *(("image 0", name, phase) for name in ("own", "exchanged") for phase in ("pore", "silt grain")),
        *(("image 1", name, "pore") for name in ("own", "exchanged")),
    ]
    exchanged = content["conditions"][1]
    silt = table.loc["silt grain", "exchanged"]
    assert exchanged["phases"]["silt grain"]["dice"] == pytest.approx(silt["dice"], abs=1e-6)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("rock").experiment_id])
    assert run.data.metrics["silt grain/exchanged/dice"] == exchanged["phases"]["silt grain"]["dice"]
    assert run.data.metrics["own/dice"] == content["conditions"][0]["dice"]


def test_a_model_that_answers_the_same_to_other_phrases_is_said_not_to_read_them(tmp_path, caplog):
    label = (np.random.default_rng(0).random((1, 2, 16, 16)) < 0.4).astype(np.float32)
    with caplog.at_level(logging.WARNING, "vlsenet"):
        audit_of(tmp_path, label, label, label)
    assert "the text is not read" in caplog.text


@pytest.fixture(scope="module")
def audited(tmp_path_factory) -> Path:
    """Two images of two phases, one of them labelled in part, and the audit of a network that text moves."""
    folder = tmp_path_factory.mktemp("audit")
    write_dataset(folder / "rock", 2, shape=(64, 80), seed=3, val=1, test=0)
    for number, file in enumerate(sorted((folder / "rock" / "labels").iterdir())):
        pores = np.asarray(Image.open(file)) > 0
        label = np.where(pores, 1, np.where(np.arange(80) < 40, 2, 0)).astype(np.uint8)
        label[:20] = 255 if number else label[:20]
        Image.fromarray(label).save(file)
    (folder / "rock" / "phases.csv").write_text("value,phase\n1,pore\n2,silt grain\n255,unlabelled\n")
    index = open_dataset(str(folder / "rock"))
    settings = {"network": "vlsenet", "features": NARROW, "text_dim": 256, "norm": "instance", "phases": 2}
    torch.manual_seed(0)
    network = build_network(**settings)
    for parameter in network.lscm.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)  # it starts near a U-Net, which reads nothing
    asked = ["pore", "silt grain"]
    store = encode_prompts(index, build_text_source("random"), asked=asked)
    torch.save(model_content(network, settings, store, index, {}, asked=asked), folder / "best.pt")
    options = {"dataset_dir": str(folder / "rock"), "checkpoint": str(folder / "best.pt"), "device": "cpu"}
    run_config("audit", logging_file=False, split="all", output_dir=str(folder / "audit"), **options)
    return folder / "audit"


def test_the_command_exchanges_the_answers_of_two_phases(audited):
    """The network is asked with text alone, so pores asked as silt are what was found as silt, and the other way."""
    table = pd.read_csv(audited / "audit.csv").set_index(["condition", "phase"])
    assert list(dict.fromkeys(name for name, _ in table.index)) == ["own", "exchanged", "empty", "random", "zeros"]
    changed = table["changed_probability"]
    assert (changed["own"] == 0).all()
    assert changed["exchanged", "pore"] == pytest.approx(changed["exchanged", "silt grain"], abs=1e-6)
    assert (changed[changed.index.get_level_values("condition") != "own"] > 1e-4).all()
    content = json.loads((audited / "audit.json").read_text())
    assert len(content["images"]) == 2 * 2 * 5
    assert content["conditions"][1]["note"] == "pore asked as silt grain, silt grain asked as pore"
