from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from pipeline.errors import UserError
from pipeline.text import TextStore, build_text_source, build_text_store, extend_text_store
from pipeline.text.sources import PLAIN_DIM, PLAIN_LENGTH, TEXT_SOURCES

PROMPTS = ["pore", "sparse, elongated pores", "pore"]


@pytest.mark.parametrize("name", ["none", "learned", "random", "untrained"])
def test_same_interface(name):
    source = build_text_source(name)
    features = source.encode(PROMPTS)
    description = source.describe()
    assert list(features) == ["pore", "sparse, elongated pores"]
    assert description["source"] == name
    assert description["trained"] is False
    assert all(value is None or isinstance(value, str | int | bool) for value in description.values())
    for item in features.values():
        assert item.text.shape == (source.dim,) == (description["dim"],)
        assert item.tokens.shape == (description["length"], source.dim)
        assert item.text.dtype == item.tokens.dtype == torch.float32


@pytest.mark.parametrize("name", ["none", "learned"])
def test_zeros(name):
    item = build_text_source(name).encode(["pore"])["pore"]
    assert item.tokens.shape == (PLAIN_LENGTH, PLAIN_DIM)
    assert item.text.abs().max() == item.tokens.abs().max() == 0


def test_random_is_unit_repeatable_and_nearly_orthogonal():
    one = build_text_source("random").encode(["a", "b"])
    two = build_text_source("random").encode(["b"])
    assert torch.equal(one["b"].text, two["b"].text)
    assert torch.equal(one["b"].tokens, two["b"].tokens)
    rows = torch.cat([part for item in one.values() for part in (item.text[None], item.tokens)])
    cosines = rows @ rows.T
    torch.testing.assert_close(cosines.diagonal(), torch.ones(len(rows)))
    # a random cosine in 256 dimensions has a standard deviation of 1/16
    assert (cosines - torch.eye(len(rows))).abs().max() < 5 / 16


def test_random_is_the_same_on_each_machine():
    # first values of NumPy's PCG64 stream for sha256("pore"), whose stability NumPy keeps across platforms
    text = build_text_source("random").encode(["pore"])["pore"].text
    torch.testing.assert_close(text[:3], torch.tensor([-0.053528, -0.054157, -0.000796]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["none", "random", "untrained"])
def test_the_callers_random_state_stays(name):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    build_text_source(name).encode(["pore"])
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(("name", "nearest"), [("clipp", "clip"), ("Random", "random"), ("untrainde", "untrained")])
def test_unknown_name_gives_the_nearest(name, nearest):
    with pytest.raises(UserError, match=f"{name}.*did you mean {nearest}"):
        build_text_source(name)


def test_unknown_name_far_from_all_lists_them():
    with pytest.raises(UserError, match=", ".join(TEXT_SOURCES)):
        build_text_source("bert-large")


def test_the_store_knows_its_source():
    store = build_text_store(build_text_source("random"), PROMPTS)
    assert store.prompts == ("pore", "sparse, elongated pores")
    assert store.provenance["source"] == "random"
    assert store.dim == PLAIN_DIM


def test_import_leaves_open_clip_alone():
    code = (
        "import sys, pipeline.text as t; t.build_text_store(t.build_text_source('learned'), ['pore']); "
        "heavy = {'open_clip', 'monai', 'huggingface_hub', 'timm'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_only_clip_reads_is_told(caplog):
    build_text_source("learned", weights="RN50.pt", model="ViT-B-32")
    assert "text_weights RN50.pt has no effect: only text_source clip reads it, and this is text_source learned" in (
        caplog.text
    )
    assert "text_model ViT-B-32 has no effect" in caplog.text
    caplog.clear()
    build_text_source("none", weights="openai")  # the default of another option
    assert "text_weights openai has no effect" in caplog.text
    caplog.clear()
    build_text_source("random", model="RN50", pretrained="openai")
    assert not caplog.text
    assert "text_pretrained" not in caplog.text
    caplog.clear()
    store = build_text_store(build_text_source("learned"), ["pore"])
    extend_text_store(store, ["cracks"], weights="RN50.pt")  # evaluations name the weights of all their models
    assert not caplog.text


def test_learned_text_of_several_phases_is_their_numbers() -> None:
    source = build_text_source("learned", phases=["silt grain", "pore | rock pore", "clay"])
    features = source.encode(["pore|rock pore", "clay", ""])
    assert features["pore|rock pore"].text.nonzero().tolist() == [[1]]
    assert features["clay"].tokens.nonzero().tolist() == [[0, 2]]
    assert not features[""].text.any()
    with pytest.raises(UserError, match=r"vectors for 'silt grain', .*'clay', and none for 'pyrite'.*text_source clip"):
        source.encode(["pyrite"])
    with pytest.raises(UserError, match="none for 'pore'"):  # a part of an ensemble is not asked for by itself
        source.encode(["pore"])


def test_the_numbers_of_phases_are_found_again_in_a_store() -> None:
    phases = ["silt grain", "pore", "clay"]
    store = build_text_store(build_text_source("learned", phases=phases), ["pore", "clay", "", "silt grain"])
    assert store.reads_prompts
    loaded = TextStore()
    loaded.load_state_dict(store.state_dict())
    with pytest.raises(UserError, match="vectors for 'silt grain', 'pore', 'clay', and none for 'pyrite'"):
        extend_text_store(loaded, ["pyrite"])
    assert loaded.get("silt grain").text[0] == 1


def test_one_phase_needs_no_number() -> None:
    source = build_text_source("learned", phases=["pore"])
    assert not source.encode(["anything"])["anything"].text.any()
    assert "phases" not in source.describe()
