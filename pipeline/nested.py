"""Mappings that hold mappings, as configs do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flattened(values: Mapping[str, Any], joint: str = ".") -> dict[str, Any]:
    """One mapping of all values that are none themselves, in order.

    Args:
        values: mappings within mappings.
        joint: between the names on the way to a value, as in `optimiser.lr`.
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}{joint}{inner}": one for inner, one in flattened(value, joint).items()}
        else:
            flat[str(name)] = value
    return flat
