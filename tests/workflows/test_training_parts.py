from __future__ import annotations

from typing import Any

import yaml

from pipeline.bundle_files import config_files
from pipeline.workflows import training_parts


def test_what_decides_on_a_training_is_among_its_parts() -> None:
    config: dict[str, Any] = {}
    for file in config_files("train"):
        with open(file, encoding="utf-8") as text:
            config |= yaml.safe_load(text)
    parts = training_parts(config)
    assert parts["loss::bce_weight"] == "1.0"
    assert parts["optimizer::_target_"] == "torch.optim.AdamW"
    assert parts["train::handlers::0::momentum"] == "0.02"
    assert parts["train::augmentation::1::size"] == "@patch_size"
    # a longer training is no other one: its schedule names the option, and holds no number of epochs
    assert training_parts({**config, "max_epochs": 999}) == parts
