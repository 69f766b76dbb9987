"""The stored text features as a file, for an exported network that takes them as inputs."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save

from pipeline.atomic import atomic_path
from pipeline.text import TextStore


def write_text_features(store: TextStore, path: Path) -> None:
    """Write `text` (P, D) and `tokens` (P, L, D) of P prompts; the metadata's `prompts` names them, a JSON list."""
    state = store.state_dict()
    tensors = {name: state[name].contiguous() for name in ("text", "tokens")}
    with atomic_path(path) as partial:
        # safetensors' own files are for their owner alone, whatever the umask
        partial.write_bytes(save(tensors, {"prompts": json.dumps(state["prompts"])}))
