from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.networks import build_network
from pipeline.text import TextStore, build_text_source, build_text_store
from pipeline.workflows import ConditionFeatures, audit_items, text_conditions
from pipeline.workflows.audited_text import other_prompts
from pipeline.workflows.model_file import TrainedModel

ITEMS = [
    {"name": name, "source": "well", "prompt": prompt}
    for name, prompt in (("a", "thin pores"), ("b", "round pores"), ("c", "thin pores"))
]
DATA = {"phases": [{"name": "pore", "prompt": "pore"}]}
NAMES = ["own", "shuffled", "generic", "empty", "random", "zeros"]


def model(source: str = "random", prompts=("pore", "", "thin pores", "round pores"), **settings) -> TrainedModel:
    settings = {"network": "vlsenet", "preset": "small", "text_dim": 256, "norm": "instance", **settings}
    torch.manual_seed(0)
    text = build_text_store(build_text_source(source), prompts)
    return TrainedModel(build_network(**settings).eval(), settings, text, (0.5,), DATA, Path("best.pt"), "")


def features(condition, items=ITEMS):
    return [condition.features(item) for item in items]


def test_the_conditions_tell_what_they_say():
    audited = model()
    conditions = {condition.name: condition for condition in text_conditions(audited, ITEMS, seed=3)}
    assert list(conditions) == NAMES
    stored = {prompt: audited.text.get(prompt).text for prompt in audited.text.prompts}
    thin, other, again = features(conditions["own"])
    assert torch.equal(thin.text, stored["thin pores"])
    assert torch.equal(other.text, stored["round pores"])
    assert torch.equal(again.text, thin.text)
    swapped = features(conditions["shuffled"])
    assert [torch.equal(item.text, stored["round pores"]) for item in swapped] == [True, False, True]
    assert all(torch.equal(item.text, stored["pore"]) for item in features(conditions["generic"]))
    assert all(torch.equal(item.text, stored[""]) for item in features(conditions["empty"]))
    assert all(item.text.abs().max() == item.tokens.abs().max() == 0 for item in features(conditions["zeros"]))
    drawn = features(conditions["random"])
    for item in drawn:
        torch.testing.assert_close(item.tokens.norm(dim=-1), torch.ones(8))
    assert not torch.equal(drawn[0].text, drawn[2].text)
    repeated = {c.name: c for c in text_conditions(audited, ITEMS, seed=3)}["random"]
    other_seed = {c.name: c for c in text_conditions(audited, ITEMS, seed=4)}["random"]
    assert torch.equal(features(repeated)[0].text, drawn[0].text)
    assert not torch.equal(features(other_seed)[0].text, drawn[0].text)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_no_prompt_stays_in_its_place(count):
    prompts = [f"prompt {number}" for number in range(count)]
    shuffled = [other_prompts(prompts, seed) for seed in range(20)]
    for other in shuffled:
        assert sorted(other.values()) == prompts
        assert all(mine != others for mine, others in other.items())
    assert other_prompts(prompts, 0) == shuffled[0]
    assert count == 2 or len({tuple(other.items()) for other in shuffled}) > 1


def test_what_would_repeat_the_own_prompt_is_not_run():
    conditions = {c.name: c for c in text_conditions(model(), [{"name": "a", "prompt": "pore"}])}
    assert conditions["shuffled"].features is None
    assert "all images have the prompt 'pore'" in conditions["shuffled"].note
    assert conditions["generic"].features is None
    assert conditions["empty"].features is not None


@pytest.mark.parametrize("source", ["learned", "none"])
def test_a_model_that_reads_no_prompt_is_told_as_such(source, caplog):
    audited = model(source, learned_text=source == "learned")
    with caplog.at_level(logging.WARNING, "vlsenet"):
        conditions = {c.name: c for c in text_conditions(audited, ITEMS)}
    assert "reads no prompt" in caplog.text
    assert list(conditions) == NAMES
    run = [name for name, condition in conditions.items() if condition.features is not None]
    assert run == (["own", "random", "zeros"] if source == "learned" else ["own", "random"])
    assert "reads no prompt" in conditions["shuffled"].note


def test_a_learned_prior_as_features_gives_the_same_answer_as_in_the_network():
    audited = model("learned", learned_text=True)
    image = torch.rand(1, 1, 32, 48)
    zeros = audited.text.get("pore")
    with torch.no_grad():
        expected = audited.network(image, zeros.text[None], zeros.tokens[None])
        own = {c.name: c for c in text_conditions(audited, ITEMS)}["own"].features(ITEMS[0])
        torch.testing.assert_close(audited.network(image, own.text[None], own.tokens[None]), expected)
        others = audited.network(image, torch.ones(1, 256), torch.ones(1, 3, 256))
    assert not torch.equal(others, expected)


@pytest.mark.parametrize("text_off", ["unet", "switches"])
def test_a_network_that_reads_no_text_is_refused(text_off):
    parts = ("modulate_skips", "modulate_bottleneck", "modulate_decoder", "text_adapters", "cross_attention")
    settings = {"network": "unet"} if text_off == "unet" else {"switches": dict.fromkeys(parts, False)}
    with pytest.raises(UserError, match="nothing to audit") as caught:
        text_conditions(model(**settings), ITEMS)
    assert len(str(caught.value).splitlines()) == 1


def test_an_old_checkpoint_without_its_tower_says_what_it_lacks(tmp_path, caplog):
    audited = model(prompts=("thin pores", "round pores"))
    text = TextStore(
        {prompt: audited.text.get(prompt) for prompt in audited.text.prompts},
        {"source": "clip", "model": "RN50", "pretrained": "openai", "weights_id": "openai"},
    )
    audited = TrainedModel(audited.network, audited.network_settings, text, (0.5,), DATA, Path("best.pt"), "")
    with caplog.at_level(logging.WARNING, "vlsenet"):
        conditions = text_conditions(audited, ITEMS, weights=str(tmp_path / "gone.pt"))
    run = [c.name for c in conditions if c.features is not None]
    assert run == ["own", "shuffled", "random", "zeros"]
    notes = {c.name: c.note for c in conditions}
    assert "holds no 'pore'" in notes["generic"]
    assert "holds no ''" in notes["empty"]
    assert "gone.pt" in caplog.text


def test_items_come_image_by_image_with_their_features():
    conditions = text_conditions(model(), ITEMS)
    items = audit_items(ITEMS, conditions)
    assert [(item["name"], item["condition"]) for item in items[:7]] == [*(("a", n) for n in NAMES), ("b", "own")]
    told = ConditionFeatures(conditions)(items[0])
    assert told["text"].shape == (256,)
    assert told["tokens"].shape == (8, 256)
    lacking = text_conditions(model(), ITEMS[:1])
    with pytest.raises(ValueError, match="shuffled is not run"):
        ConditionFeatures(lacking)({**ITEMS[0], "condition": "shuffled"})
