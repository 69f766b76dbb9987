"""Named network widths; the data stand in `presets.json`."""

from __future__ import annotations

import json
from importlib import resources

from pipeline.networks.names import check_name


def preset_features(preset: str) -> tuple[int, ...]:
    """Widths of the four levels and the bottleneck.

    Args:
        preset: `small`, `base` or `large` (`large` is the published size).

    Raises:
        UserError: an unknown preset.
    """
    presets = json.loads(resources.files(__package__).joinpath("presets.json").read_text(encoding="utf-8"))
    return tuple(presets[check_name("preset", preset, presets)])
