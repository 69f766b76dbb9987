from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from pipeline.errors import UserError
from pipeline.text import TextStore, build_text_source, build_text_store, extend_text_store
from pipeline.text.sources import averaged, phrases_of

ENSEMBLE = "pore | rock pore | microscopic pore"


def test_phrases():
    assert phrases_of(ENSEMBLE) == ("pore", "rock pore", "microscopic pore")
    assert phrases_of("a|b |  c  d |") == ("a", "b", "c d")
    assert phrases_of("sparse, small pores") == ("sparse, small pores",)
    assert phrases_of("") == ("",)
    with pytest.raises(UserError, match=r"'\| \|' holds no phrase"):
        phrases_of("| |")


def test_the_mean_is_normalised_and_keeps_its_size():
    source = build_text_source("random")
    parts = source.encode(["a", "b", "c"])
    mean = averaged(list(parts.values()))
    assert mean.text.shape == parts["a"].text.shape
    assert mean.tokens.shape == parts["a"].tokens.shape
    total = sum(item.text for item in parts.values())
    torch.testing.assert_close(mean.text, total / total.norm())
    torch.testing.assert_close(mean.tokens.norm(dim=-1), torch.ones(len(mean.tokens)))


@pytest.mark.parametrize("name", ["none", "learned", "random", "untrained"])
def test_every_source_knows_ensembles(name):
    source = build_text_source(name)
    whole, turned = source.encode([ENSEMBLE, "microscopic pore | pore | rock pore"]).values()
    single = source.encode(["pore", "rock pore", "microscopic pore"])
    expected = normalize(torch.stack([item.text for item in single.values()]).mean(0), dim=-1)
    torch.testing.assert_close(whole.text, expected)
    torch.testing.assert_close(whole.tokens, turned.tokens)
    assert whole.tokens.shape == single["pore"].tokens.shape
    torch.stack([whole.tokens, single["pore"].tokens])  # what a batch does


@pytest.mark.parametrize("name", ["random", "untrained"])
def test_an_ensemble_is_stored_under_its_whole_text(name):
    source = build_text_source(name)
    store = build_text_store(source, [ENSEMBLE, "pore"])
    assert store.prompts == (ENSEMBLE, "pore")
    other = TextStore()
    other.load_state_dict(store.state_dict())
    extend_text_store(other, [ENSEMBLE, "crack | pore"])  # the first stored prompt, an ensemble, is what it checks by
    expected = source.encode(["crack | pore"])["crack | pore"]
    torch.testing.assert_close(other.get("crack | pore").text, expected.text)


def test_clip_caches_each_phrase_on_its_own(tiny_model, tiny_weights, tmp_path):
    source = build_text_source("clip", model=tiny_model, weights=tiny_weights, cache_dir=tmp_path)
    source.encode(["pore | crack", "pore", "crack | vug"])
    assert len(list(tmp_path.glob("*.safetensors"))) == 3


def test_a_missing_ensemble_is_named_whole():
    store = build_text_store(build_text_source("none"), ["pore"])
    with pytest.raises(UserError, match=r"'pore \| crack'"):
        store.get("pore | crack")
