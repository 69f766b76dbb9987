"""Scenes of every look: what one rock and one microscope would not show, for training on more than they do.

Domain randomisation: where synthetic images vary more than real ones do among each other, a real image is one more
variation (J. Tobin et al., Domain randomization for transferring deep neural networks from simulation to the real
world, IROS 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.synthetic.scene import SceneSettings

#: lowest and highest values, drawn uniformly ...
UNIFORM: Mapping[str, tuple[float, float]] = {
    "porosity": (0.005, 0.35),
    "anisotropy": (0.0, 0.95),
    "orientation_deg": (0.0, 180.0),
    "elongated_fraction": (0.0, 1.0),
    "grain_fraction": (0.0, 0.85),
    "organic_fraction": (0.0, 0.2),
    "pyrite_fraction": (0.0, 0.04),
    "shading": (0.0, 0.15),
    "curtaining": (0.0, 0.03),
    "charging": (0.0, 0.6),
    "jitter": (0.0, 0.5),
}
#: ... and in proportion: twice as long is as likely as half as long
PROPORTIONAL: Mapping[str, tuple[float, float]] = {
    "pore_length": (8.0, 80.0),
    "grain_size": (15.0, 160.0),
    "blur": (0.4, 2.5),
    "noise": (0.01, 0.13),
}


def any_look(scene: SceneSettings, rng: np.random.Generator) -> SceneSettings:
    """A scene with geometry and artefacts drawn anew.

    Args:
        scene: gives what a look does not change: pixel size and info bar.
        rng: draws the others.
    """
    drawn: dict[str, Any] = {name: float(rng.uniform(*limits)) for name, limits in UNIFORM.items()}
    drawn |= {name: float(np.exp(rng.uniform(*np.log(limits)))) for name, limits in PROPORTIONAL.items()}
    return replace(scene, **drawn)
