from __future__ import annotations

import json
import os
import stat

import torch
from safetensors import safe_open

from pipeline.text import build_text_source, build_text_store
from pipeline.workflows.export.export_formats import write_text_features


def test_features_prompts_and_a_mode_by_the_umask(tmp_path):
    store, path = build_text_store(build_text_source("random"), ["pore", "cracks"]), tmp_path / "text.safetensors"
    before = os.umask(0o022)
    try:
        write_text_features(store, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["prompts"]) == ["pore", "cracks"]
        assert torch.equal(file.get_tensor("text")[1], store.get("cracks").text)
        assert torch.equal(file.get_tensor("tokens")[1], store.get("cracks").tokens)
