from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import UserError
from pipeline.text import build_text_source
from pipeline.workflows import encode_prompts


def test_a_network_that_reads_no_text_needs_no_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def out_of_reach(*_: object) -> None:
        raise UserError("out of reach")

    monkeypatch.setattr("pipeline.text.clip_source.load_clip_tower", out_of_reach)
    caplog.set_level(logging.INFO, logger="vlsenet")
    index = SimpleNamespace(samples=[SimpleNamespace(prompt="thin pores")], root=tmp_path)
    clip = build_text_source("clip", cache_dir=tmp_path)
    with pytest.raises(UserError, match="out of reach"):
        encode_prompts(index, clip)
    store = encode_prompts(index, clip, network_reads=False)
    assert store.provenance["source"] == "none"
    assert "thin pores" in store
    assert "this network reads no text" in caplog.text
    assert "have no effect" not in caplog.text
    assert encode_prompts(index, build_text_source("random"), network_reads=False).provenance["source"] == "random"
