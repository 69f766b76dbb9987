"""Transforms: arrays in, arrays out.

The names are imported when first used, so that `pipeline.transforms.artifacts`, which is plain NumPy, does
not pay for the import of MONAI.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULE_OF = {
    "CropInfoBard": "reader",
    "NormaliseByIntensityd": "normalise",
    "RandBrightMineralsd": "augmentd",
    "RandCharging": "augment",
    "RandChargingd": "augmentd",
    "RandCurtaining": "augment",
    "RandCurtainingd": "augmentd",
    "RandShading": "augment",
    "RandShadingd": "augmentd",
    "RandShotNoise": "augment",
    "RandShotNoised": "augmentd",
    "SEMReader": "reader",
    "TextFeaturesd": "normalise",
}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
