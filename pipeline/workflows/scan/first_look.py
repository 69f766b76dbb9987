"""What is seen of a scan before it is segmented: whether the model knows such scans, and Otsu's porosity."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from skimage.filters import threshold_otsu

from pipeline.bundle_files import DEFAULT, default_model
from pipeline.engine.familiarity import window_features
from pipeline.engine.pinned_network import SIDE, TILES, rock_tiles
from pipeline.foreground.measurement import Foreground
from pipeline.images.volume import ScanVolume
from pipeline.tiling.windows import Windows
from pipeline.wording import some_of
from pipeline.workflows.model_file import TrainedModel

logger = logging.getLogger("vlsenet")

UNKNOWN = "unknown"
#: what to do about a scan that the model does not know
_REMEDY = (
    "To adapt the model, label a few fields or strokes of such scans, and train on them: vlsenet train my_rock "
    "--output_dir runs/adapted --start_from {model}"
)


@dataclass(frozen=True)
class FirstLook:
    """Of a scan, on tiles that are spread over its rock.

    Attributes:
        level: `like` the training images, `unlike`, `far off`, or `unknown`: the model file does not describe them.
        distance: of the scan from them (`FeatureDistance.of`); None where they are not known.
        like: distance up to which a scan is like them; None likewise.
        far: distance above which it is far off; None likewise.
        otsu_porosity: share of pixels at or below Otsu's threshold, without shading; None for tiles of one grey.
        model: as `--start_from` takes it.
    """

    level: str
    distance: float | None
    like: float | None
    far: float | None
    otsu_porosity: float | None
    model: str

    @classmethod
    def at(cls, model: TrainedModel, volume: ScanVolume, windows: Windows, foreground: Foreground) -> FirstLook:
        """Look at a scan.

        Args:
            model: that will segment it.
            volume: the scan.
            windows: of its plan.
            foreground: measured of it.
        """
        tiles = rock_tiles(volume, windows, foreground, SIDE, TILES)
        dark = otsu_share(tiles[:, 0])
        known = model.familiarity
        named = DEFAULT if model.path == default_model() else str(model.path)
        if known is None:
            return cls(UNKNOWN, None, None, None, dark, named)
        distance = known.distance.of(window_features(tiles[:, 0]))
        return cls(known.level(distance), distance, known.like, known.far, dark, named)

    @property
    def is_known(self) -> bool:
        """Whether what was measured of the model on other scans may hold for this one."""
        return self.level in ("like", UNKNOWN)

    @property
    def said(self) -> str:
        """Whether the scan is like the training images, in a sentence, and what to do."""
        if self.level == UNKNOWN:
            return "Nothing is known of whether this scan is like the training images: the model says nothing of them."
        numbers = f"distance {self.distance:.2f}; {self._limits}"
        if self.level == "like":
            return f"This scan looks like the training images ({numbers})."
        if self.level == "unlike":
            return (
                f"This scan looks unlike the training images ({numbers}): check the overlay before you use the "
                f"numbers. {_REMEDY.format(model=self.model)}"
            )
        return (
            f"This scan is far off from all training images ({numbers}): don't use the numbers, unless labels of such "
            f"scans confirm them. {_REMEDY.format(model=self.model)}"
        )

    @property
    def _limits(self) -> str:
        return f"up to {self.like:.2f} is like them, above {self.far:.2f} far off"

    @property
    def warned(self) -> str:
        """What stands beside the numbers of a scan that the model does not know, in a few words."""
        if self.level == "unlike":
            return "unlike the training images: check the overlay before you use the numbers"
        return "far off from all training images: don't use the numbers, unless labels of such scans confirm them"

    def to_dict(self) -> dict[str, Any]:
        """As `manifest.json` has it."""
        return {**vars(self), "said": self.said}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> FirstLook:
        """As `to_dict` wrote it."""
        return cls(**{field.name: kept[field.name] for field in fields(cls)})


def log_looks(looks: Mapping[str, FirstLook]) -> None:
    """Log what was seen of scans; of several that a model does not know, one warning.

    Args:
        looks: at each scan, by its name.
    """
    unknown = {name: look for name, look in looks.items() if not look.is_known}
    for name, look in looks.items():
        if look.is_known or len(unknown) == 1:
            logger.log(logging.INFO if look.is_known else logging.WARNING, "%s: %s", name, look.said)
    if len(unknown) < 2:
        return
    distances = [look.distance or 0.0 for look in unknown.values()]
    off = [name for name, look in unknown.items() if look.level == "far off"]
    one = next(iter(unknown.values()))
    logger.warning(
        "%d of %d scans look unlike the training images (%s; distances from %.2f to %.2f; %s): check their overlays "
        "before you use the numbers%s. %s",
        len(unknown),
        len(looks),
        some_of(list(unknown)),
        min(distances),
        max(distances),
        one._limits,
        f", and don't use those of {some_of(off)}, unless labels of such scans confirm them" if off else "",
        _REMEDY.format(model=one.model),
    )


def otsu_share(tiles: np.ndarray) -> float | None:
    """Share of pixels at or below Otsu's threshold over all tiles; None where all have the same grey level."""
    if tiles.min() == tiles.max():
        return None
    return float((tiles <= threshold_otsu(tiles)).mean())
