"""Named network widths; the data stand in `presets.json`."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from pipeline.errors import UserError
from pipeline.names import check_name


def _presets() -> dict[str, list[int]]:
    content: dict[str, list[int]] = json.loads(
        resources.files(__package__).joinpath("presets.json").read_text(encoding="utf-8")
    )
    return content


#: names of the presets
PRESETS = tuple(_presets())


def preset_features(preset: str) -> tuple[int, ...]:
    """Widths of the four levels and the bottleneck.

    Args:
        preset: `small`, `base` or `large` (`large` is the published size).

    Raises:
        UserError: an unknown preset.
    """
    return tuple(_presets()[check_name("preset", preset, PRESETS)])


def check_features(features: Any) -> tuple[int, ...]:
    """Return widths that a user gave, if they are: of the four levels and the bottleneck.

    Raises:
        UserError: anything but five whole numbers, 2 or more each.
    """
    if not isinstance(features, (list, tuple)) or len(features) != 5 or not all(map(_is_width, features)):
        raise UserError(
            f"features {features}: give the widths of four levels and the bottleneck, each 2 or more, as in "
            '"[16, 32, 64, 128, 256]"'
        )
    return tuple(features)


def _is_width(value: Any) -> bool:
    # upsampling leaves half of a width
    return isinstance(value, int) and not isinstance(value, bool) and value > 1
