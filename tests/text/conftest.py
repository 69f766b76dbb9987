"""A CLIP small enough for tests, with weights on disk."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="session")
def tiny_config():
    """open_clip's description of the tiny architecture."""
    return TINY


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """Name of a tiny architecture that open_clip knows for this test session."""
    import open_clip

    path = tmp_path_factory.mktemp("configs") / "tiny-for-tests.json"
    path.write_text(json.dumps(TINY))
    open_clip.add_model_config(path)
    return path.stem


@pytest.fixture(scope="session")
def tiny_clip(tiny_model):
    """The whole tiny model (open_clip's own `CLIP`), untrained."""
    import open_clip

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return open_clip.create_model(tiny_model, pretrained=None).eval()


@pytest.fixture(scope="session")
def tiny_weights(tiny_clip, tmp_path_factory):
    """Its weights, image tower included, as a safetensors file."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(tiny_clip.state_dict(), path)
    return path
