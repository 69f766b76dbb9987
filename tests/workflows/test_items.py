from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import UserError
from pipeline.text import build_text_source
from pipeline.workflows import encode_prompts, sample_items


def test_a_network_that_reads_no_text_needs_no_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def out_of_reach(*_: object) -> None:
        raise UserError("out of reach")

    monkeypatch.setattr("pipeline.text.clip_source.load_clip_tower", out_of_reach)
    caplog.set_level(logging.INFO, logger="vlsenet")
    index = SimpleNamespace(samples=[SimpleNamespace(prompt="thin pores")], place=str(tmp_path))
    clip = build_text_source("clip", cache_dir=tmp_path)
    with pytest.raises(UserError, match="out of reach"):
        encode_prompts(index, clip)
    store = encode_prompts(index, clip, network_reads=False)
    assert store.provenance["source"] == "none"
    assert store.missing(["thin pores"]) == []
    assert "this network reads no text" in caplog.text
    assert "have no effect" not in caplog.text
    encode_prompts(index, build_text_source("none"), sentences=True)
    assert "have no effect" in caplog.text
    assert encode_prompts(index, build_text_source("random"), network_reads=False).provenance["source"] == "random"


def test_texts_are_asked_when_asked_for(tmp_path: Path) -> None:
    samples = [
        SimpleNamespace(
            name=name,
            image=tmp_path / name,
            label=tmp_path / name,
            source="well",
            prompt=prompt,
            shape=(20, 30),
            values=None,
            part=None,
            rows=(0, 20),
        )
        for name, prompt in (("a", "thin\npores"), ("b", None))
    ]
    asked = {sentences: [item["prompt"] for item in sample_items(samples, "vugs", sentences)] for sentences in (0, 1)}
    assert asked == {0: ["vugs", "vugs"], 1: ["thin pores", "vugs"]}
