"""Transforms of images for training and inference: arrays in, arrays out.

`artifacts.py` holds the maths of SEM artefacts in plain NumPy, `augment.py` makes random MONAI transforms of them (a
new one goes into these two, and into `train.yaml`), `reader.py` loads, `normalise.py` normalises, `phase_labels.py`
makes targets of labels, and `view.py` shows what lies around a patch. Random numbers come from MONAI's `self.R` only,
which each patch seeds. The names are imported when first used, so that `pipeline.transforms.artifacts`, which is plain
NumPy, does not pay for the import of MONAI.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULE_OF = {
    "CropInfoBard": "reader",
    "CropPartd": "reader",
    "DecidedPhasesd": "phase_labels",
    "NormaliseMicrographd": "normalise",
    "PatchViewd": "view",
    "PhaseCodesd": "phase_labels",
    "PhaseTargetsd": "phase_labels",
    "RandBrightMineralsd": "augment",
    "RandChargingd": "augment",
    "RandCurtainingd": "augment",
    "RandPhaseCropd": "phase_labels",
    "RandShadingd": "augment",
    "RandShotNoised": "augment",
    "RandViewGreysd": "view",
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
