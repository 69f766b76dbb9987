"""What a synthetic SEM scene is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.errors import UserError

MAX_POROSITY = 0.4
#: lowest and highest values of settings
_LIMITS = {
    "porosity": (0, MAX_POROSITY),
    "grain_fraction": (0, 0.9),
    "organic_fraction": (0, 0.3),
    "pyrite_fraction": (0, 0.1),
    **dict.fromkeys(("anisotropy", "elongated_fraction"), (0, 1)),
    **dict.fromkeys(("pore_length", "grain_size"), (4, math.inf)),
    **dict.fromkeys(("blur", "noise", "shading", "curtaining", "charging", "jitter"), (0, math.inf)),
}


@dataclass(frozen=True)
class SceneSettings:
    """Settings of one synthetic SEM image. Lengths are in pixels, fractions are of the imaged area.

    Geometry and artefacts draw from separate random streams: changing an artefact's strength leaves the label
    as it is. Every artefact varies from image to image, by half its strength either way; 0 switches it off.

    Attributes:
        porosity: pore area over imaged area, 0 to `MAX_POROSITY`; reached to the pixel.
        anisotropy: how strongly the thin pores, the clay and the grains are aligned: the mean resultant length of
            the doubled angles, 0 (any direction) to 1 (all parallel).
        orientation_deg: preferred direction of the long axes, degrees, counter-clockwise from the image's x axis.
        elongated_fraction: share of the pore area in thin, elongated pores; the rest is rounded or lies between
            grains.
        pore_length: median length of a thin pore.
        grain_size: median diameter of a mineral grain.
        grain_fraction: area of mineral grains; the rest is clay.
        organic_fraction: area of dark organic matter, which is not pore.
        pyrite_fraction: area of bright pyrite.
        pixel_size_nm: pixel size, nanometres, for the scale bar (and the sizes in a sentence).
        info_bar: write the microscope's strip with text and scale bar over the lowest rows (label 0 there, and no
            part of the imaged area).
        blur: standard deviation of the point spread function.
        noise: standard deviation of the counting noise at full brightness, grey levels of 1.
        shading: largest change of brightness across the image, grey levels of 1.
        curtaining: standard deviation of the milling stripes, grey levels of 1.
        charging: brightness of the glow at pore walls, grey levels of 1.
        jitter: standard deviation of the rows' displacement.
    """

    porosity: float = 0.1
    anisotropy: float = 0.6
    orientation_deg: float = 0.0
    elongated_fraction: float = 0.6
    pore_length: float = 26.0
    grain_size: float = 60.0
    grain_fraction: float = 0.45
    organic_fraction: float = 0.06
    pyrite_fraction: float = 0.006
    pixel_size_nm: float = 20.0
    info_bar: bool = False
    blur: float = 0.8
    noise: float = 0.045
    shading: float = 0.06
    curtaining: float = 0.012
    charging: float = 0.25
    jitter: float = 0.25

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UserError: when a value is out of its range, or not finite.
        """
        for name, (lowest, highest) in _LIMITS.items():
            value = getattr(self, name)
            if not (lowest <= value <= highest and math.isfinite(value)):
                upper = f" and at most {highest:g}" if math.isfinite(highest) else ""
                raise UserError(f"{name} must be finite, at least {lowest:g}{upper}, got {value:g}")
        if not math.isfinite(self.orientation_deg):
            raise UserError(f"orientation_deg must be a finite angle, got {self.orientation_deg:g}")
        if not 0 < self.pixel_size_nm < math.inf:
            raise UserError(f"pixel_size_nm must be above 0, got {self.pixel_size_nm:g}")
