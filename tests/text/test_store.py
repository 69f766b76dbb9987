from __future__ import annotations

import pytest
import torch

from pipeline.errors import UserError
from pipeline.text import TextStore, build_text_source, build_text_store, extend_text_store


def clip_store(model, weights, cache, prompts=("pore",)):
    return build_text_store(build_text_source("clip", model=model, weights=weights, cache_dir=cache), prompts)


@pytest.mark.parametrize("name", ["none", "learned", "random", "untrained"])
def test_extends_as_if_encoded_at_once(name):
    source = build_text_source(name)
    store = build_text_store(source, ["pore"])
    extend_text_store(store, ["pore", "cracks"])
    whole = build_text_store(source, ["pore", "cracks"])
    assert store.prompts == whole.prompts
    for a, b in zip(store.get("cracks"), whole.get("cracks"), strict=True):
        assert torch.equal(a, b)


def test_stored_prompts_need_no_weights(tiny_model, tiny_weights, tmp_path):
    store = clip_store(tiny_model, tiny_weights, tmp_path / "a")
    extend_text_store(store, ["pore"], weights=tmp_path / "gone", cache_dir=tmp_path / "b")
    assert store.prompts == ("pore",)


def test_an_ensemble_of_stored_phrases_needs_no_weights(tiny_model, tiny_weights, tmp_path):
    store = clip_store(tiny_model, tiny_weights, tmp_path / "a", ["pore", "cracks", "clay"])
    extend_text_store(store, ["cracks | pore | pore"], weights=tmp_path / "gone", cache_dir=tmp_path / "b")
    whole = clip_store(tiny_model, tiny_weights, tmp_path / "c", ["cracks | pore | pore"])
    for a, b in zip(store.get("cracks | pore | pore"), whole.get("cracks | pore | pore"), strict=True):
        torch.testing.assert_close(a, b)
    with pytest.raises(UserError, match="gone"):
        extend_text_store(store, ["pore | unheard of"], weights=tmp_path / "gone", cache_dir=tmp_path / "b")


def test_new_prompt_with_the_same_weights(tiny_model, tiny_weights, tmp_path):
    store = clip_store(tiny_model, tiny_weights, tmp_path / "a")
    extend_text_store(store, ["cracks"], weights=tiny_weights, cache_dir=tmp_path / "b")
    whole = clip_store(tiny_model, tiny_weights, tmp_path / "c", ["cracks"])
    assert torch.equal(store.get("cracks").tokens, whole.get("cracks").tokens)


def test_new_prompt_without_weights_names_what_is_stored(tiny_model, tiny_weights, tmp_path):
    store = clip_store(tiny_model, tiny_weights, tmp_path / "a")
    with pytest.raises(UserError) as caught:
        extend_text_store(store, ["cracks"], weights=tmp_path / "gone", cache_dir=tmp_path / "b")
    for part in ("'cracks'", "'pore'", "gone", "--text_weights", "--text_source", "HF_HOME"):
        assert part in str(caught.value)


def test_other_weights_of_the_same_shape_are_refused(tiny_model, tiny_clip, tiny_weights, tmp_path):
    from safetensors.torch import save_file

    store = clip_store(tiny_model, tiny_weights, tmp_path / "a")
    other = tmp_path / "other.safetensors"
    save_file({name: value.flip(0) if value.ndim else value for name, value in tiny_clip.state_dict().items()}, other)
    with pytest.raises(UserError, match="not those that made"):
        extend_text_store(store, ["cracks"], weights=other, cache_dir=tmp_path / "a")
    assert store.prompts == ("pore",)


def test_an_empty_store_cannot_be_extended():
    with pytest.raises(UserError, match="empty"):
        extend_text_store(TextStore(), ["pore"])
