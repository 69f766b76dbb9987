from __future__ import annotations

import pytest
import torch

from pipeline.errors import UserError
from pipeline.text.features import TextFeatures, TextStore


def features(seed: int, dim: int = 6, length: int = 3) -> TextFeatures:
    generator = torch.Generator().manual_seed(seed)
    return TextFeatures(torch.randn(dim, generator=generator), torch.randn(length, dim, generator=generator))


@pytest.fixture
def store():
    return TextStore({"pore": features(0), "sparse pores": features(1)}, {"source": "clip", "trained": True, "w": None})


def assert_equal(one: TextStore, other: TextStore) -> None:
    assert one.prompts == other.prompts
    assert one.provenance == other.provenance
    for prompt in one.prompts:
        for a, b in zip(one.get(prompt), other.get(prompt), strict=True):
            assert torch.equal(a, b)


def test_get_dim_and_missing(store):
    assert store.dim == 6
    assert store.prompts == ("pore", "sparse pores")
    assert store.get("sparse pores").tokens.shape == (3, 6)
    assert store.missing(["x", "pore", "x", "y"]) == ["x", "y"]
    assert store.missing(["pore", "x"]) == ["x"]


def test_unknown_prompt_names_the_stored_ones_and_three_ways(store):
    with pytest.raises(UserError) as caught:
        store.get("cracks")
    message = str(caught.value)
    for part in ("'cracks'", "'pore'", "'sparse pores'", "HF_HOME", "--text_weights", "--text_source", "learned"):
        assert part in message


def test_long_lists_and_long_prompts_are_shortened():
    store = TextStore({f"{i} " + "very long " * 30: features(i) for i in range(50)})
    with pytest.raises(UserError, match="and 42 more") as caught:
        store.get("x")
    assert len(str(caught.value)) < 1500


def test_travels_in_a_checkpoint_read_without_pickle(store, tmp_path):
    torch.save({"text": store.state_dict(), "epoch": 3}, tmp_path / "model.pt")
    loaded = TextStore()
    loaded.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True)["text"])
    assert_equal(store, loaded)


def test_loading_replaces_the_content(store):
    other = TextStore({"else": features(5, dim=9)}, {"source": "random"})
    other.load_state_dict(store.state_dict())
    assert_equal(store, other)


def test_empty_store_round_trips_and_says_that_it_is_empty():
    store = TextStore()
    store.load_state_dict(TextStore().state_dict())
    assert len(store) == 0
    with pytest.raises(UserError, match="text store is empty"):
        _ = store.dim
    with pytest.raises(UserError, match="none"):
        store.get("pore")


def test_states_of_something_else_are_refused(store):
    with pytest.raises(UserError, match="lacks prompts, provenance"):
        TextStore().load_state_dict({"version": 1, "text": torch.zeros(1), "tokens": torch.zeros(1)})
    with pytest.raises(UserError, match="version 2"):
        TextStore().load_state_dict({**store.state_dict(), "version": 2})
    with pytest.raises(UserError, match="damaged"):
        TextStore().load_state_dict({**store.state_dict(), "prompts": ["pore"]})


def test_sizes_must_agree(store):
    with pytest.raises(UserError, match="different sizes"):
        store.add({"x": features(2, dim=7)})
    assert store.prompts == ("pore", "sparse pores")
    with pytest.raises(UserError, match="different sizes"):
        TextStore({"x": TextFeatures(torch.zeros(4), torch.zeros(3, 5))})


def test_stored_tensors_have_no_gradient_and_are_plain_float32():
    store = TextStore(
        {"x": TextFeatures(torch.ones(4, dtype=torch.float64, requires_grad=True), torch.ones(2, 4).half())}
    )
    for tensor in store.get("x"):
        assert tensor.dtype == torch.float32
        assert not tensor.requires_grad


def test_spaces_around_bars_do_not_count():
    store = TextStore({"pore|crack": TextFeatures(torch.ones(3), torch.ones(2, 3))})
    assert store.prompts == ("pore | crack",)
    assert store.missing(["pore |crack"]) == []
    assert store.missing(["pore  |  crack", "a|b", "a | b"]) == ["a | b"]
    assert torch.equal(store.get("| pore | crack |").text, torch.ones(3))
    earlier = {**store.state_dict(), "prompts": ["pore|crack"]}  # as it was stored before there was one form
    loaded = TextStore()
    loaded.load_state_dict(earlier)
    assert loaded.missing(["pore | crack"]) == []
