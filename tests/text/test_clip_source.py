from __future__ import annotations

import pytest
import torch

from pipeline.errors import UserError
from pipeline.text import build_text_source
from pipeline.text.clip_source import ClipSource


def test_encodes_each_prompt_once_ever(tiny_model, tiny_weights, tmp_path, monkeypatch):
    first = ClipSource(tiny_model, "openai", tiny_weights, tmp_path).encode(["pore", "cracks", "pore"])
    assert list(first) == ["pore", "cracks"]
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr("pipeline.text.clip_source.load_clip_tower", None)  # what is cached needs no tower
    again = ClipSource(tiny_model, "openai", tiny_weights, tmp_path).encode(["cracks", "pore"])
    for prompt, item in first.items():
        assert torch.equal(item.text, again[prompt].text)
        assert torch.equal(item.tokens, again[prompt].tokens)


def test_features_do_not_depend_on_the_other_prompts(tiny_model, tiny_weights, tmp_path):
    alone = ClipSource(tiny_model, "openai", tiny_weights, tmp_path / "a").encode(["cracks"])["cracks"]
    among = ClipSource(tiny_model, "openai", tiny_weights, tmp_path / "b").encode(["pore", "cracks"])["cracks"]
    assert torch.equal(alone.tokens, among.tokens)


def test_a_damaged_cache_file_is_made_anew(tiny_model, tiny_weights, tmp_path, caplog):
    source = ClipSource(tiny_model, "openai", tiny_weights, tmp_path)
    first = source.encode(["pore"])["pore"]
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    again = source.encode(["pore"])["pore"]
    assert torch.equal(first.text, again.text)
    assert path.read_bytes() == whole
    assert path.name in caplog.text


def test_description_tells_weights_apart_and_names_no_path(tiny_model, tiny_weights, tmp_path):
    copy = tmp_path / "elsewhere.safetensors"
    copy.write_bytes(tiny_weights.read_bytes())
    other = tmp_path / "other.safetensors"
    other.write_bytes(tiny_weights.read_bytes()[:-1] + b"\1")
    here, there, changed = (
        ClipSource(tiny_model, "openai", path, tmp_path).describe() for path in (tiny_weights, copy, other)
    )
    assert here == there != changed
    assert here["dim"] == 24
    assert here["length"] == 77
    assert here["trained"] is True
    assert str(tmp_path) not in str(here)


def test_dim_needs_no_weights(tmp_path):
    source = build_text_source("clip", cache_dir=tmp_path)
    assert source.dim == 1024
    assert source.describe()["weights_id"] == "openai"


def test_missing_local_weights_fail_at_once(tmp_path):
    with pytest.raises(UserError, match=r"no-such-file.*--text_weights"):
        build_text_source("clip", weights=tmp_path / "no-such-file.pt")
    with pytest.raises(UserError, match="found none"):
        build_text_source("clip", weights=tmp_path)
