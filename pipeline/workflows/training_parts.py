"""What a training's config says of loss, optimiser, averaging and augmentation: it may not change on a resume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.workflows.bundle_command import running_config

#: entries of train.yaml that decide on the result and have no option of their own in `recipe`
_PARTS = ("loss", "optimizer", "lr_scheduler", "train::augmentation", "train::handlers::0")
_JOINT = "::"


def training_parts(config: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The values of these entries, by their names as an override has them, such as `loss::bce_weight`.

    Args:
        config: of the training; None: that of the running bundle command, not evaluated.
    """
    config = running_config() if config is None else config
    return {name: str(value) for part in _PARTS for name, value in _values(part, _entry(config, part))}


def _entry(config: Any, name: str) -> Any:
    for key in name.split(_JOINT):
        config = config[int(key)] if isinstance(config, list) else config[key]
    return config


def _values(name: str, node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, list):
        node = dict(enumerate(node))
    if not isinstance(node, Mapping):
        yield name, node
        return
    for key, child in node.items():
        yield from _values(f"{name}{_JOINT}{key}", child)
