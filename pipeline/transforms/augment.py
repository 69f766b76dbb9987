"""MONAI transforms that add SEM artefacts to an image during training.

They expect channel-first tensors ``(C, H, W)`` whose rows are the scan direction and whose intensities were
normalised over the whole image to about zero mean and unit spread: strengths count in standard deviations,
and nothing is clipped. Put them after flips and rotations, which would turn the scan direction.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_numpy
from monai.utils.misc import MAX_SEED
from scipy.ndimage import gaussian_filter

from pipeline.errors import UserError
from pipeline.transforms import artifacts
from pipeline.wording import check_name

Range = tuple[float, float]


class RandArtifactd(RandomizableTransform, MapTransform):
    """What the artefacts share: draw a recipe of a few numbers, and add the same artefact to each key and channel.

    Integer images become float32. The type that came in goes out (array, tensor or MetaTensor with its metadata).

    Args:
        keys: the images' keys; labels do not belong here.
        prob: probability of acting.
        allow_missing_keys: go on without a key that is not there.
        ranges: from which each number is drawn, (low, high), where it is not the class's own.

    Raises:
        UserError: not ``0 <= low <= high``, or a number that the artefact does not have.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012  (MONAI declares a list)
    #: of each number of a recipe, in the order in which they are drawn
    ranges: ClassVar[Mapping[str, Range]]

    def __init__(
        self, keys: KeysCollection, prob: float = 0.1, allow_missing_keys: bool = False, **ranges: Range
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        for name in ranges:
            check_name(f"setting of {type(self).__name__}", name, tuple(self.ranges))
        self._ranges = {name: _checked(name, limits) for name, limits in {**self.ranges, **ranges}.items()}
        self._recipe: dict[str, Any] = {}

    def randomize(self, data: Any = None) -> None:
        """Decide whether to act, and draw the recipe; `data` is not looked at."""
        super().randomize(None)
        if self._do_transform:
            self._recipe = self.draw() | {"seed": int(self.R.randint(MAX_SEED, dtype="uint32"))}

    def draw(self) -> dict[str, Any]:
        """Draw the numbers of one artefact from ``self.R``."""
        return {name: self.R.uniform(*limits) for name, limits in self._ranges.items()}

    @abstractmethod
    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        """Add the artefact to one float32 channel of shape ``(H, W)``; `rng` draws its pattern."""

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        """Raises: UserError: an image that is not ``(C, H, W)``."""
        out = dict(data)
        self.randomize()
        for key in self.key_iterator(out):
            if self._do_transform:
                out[key] = self._applied(out[key])
        return out

    def _applied(self, image: NdarrayOrTensor) -> NdarrayOrTensor:
        channels = convert_to_numpy(image).astype(np.float32, copy=False)
        if channels.ndim != 3:
            raise UserError(
                f"{type(self).__name__} needs one image of shape (C, H, W), got {channels.shape}: "
                "put it after the loading of a two-dimensional, channel-first image"
            )
        seed = self._recipe["seed"]
        out = np.stack([self.apply(channel, self._recipe, np.random.default_rng(seed)) for channel in channels])
        is_float = (
            image.is_floating_point() if isinstance(image, torch.Tensor) else np.issubdtype(image.dtype, np.floating)
        )
        return convert_to_dst_type(out, image, dtype=image.dtype if is_float else np.float32)[0]


class RandShadingd(RandArtifactd):
    """Add a smooth illumination field (`artifacts.add_shading`).

    ``strength``: the field's largest change, in standard deviations of the image.
    """

    ranges: ClassVar = {"strength": (0.1, 0.6)}

    def draw(self) -> dict[str, Any]:
        return super().draw() | {"coefficients": self.R.normal(size=len(artifacts.SHADING_TERMS))}

    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        return artifacts.add_shading(image, recipe["strength"], recipe["coefficients"])


class RandCurtainingd(RandArtifactd):
    """Add milling stripes along the columns (`artifacts.add_curtaining`).

    ``strength``: the stripes' standard deviation, in standard deviations of the image; ``width`` of a stripe, pixels;
    ``max_angle``: largest tilt against the columns, either way, degrees.
    """

    ranges: ClassVar = {"strength": (0.05, 0.35), "width": (0.7, 3.0)}

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        allow_missing_keys: bool = False,
        max_angle: float = 5.0,
        **ranges: Range,
    ) -> None:
        super().__init__(keys, prob, allow_missing_keys, **ranges)
        self._max_angle = max_angle

    def draw(self) -> dict[str, Any]:
        return super().draw() | {"angle_deg": self.R.uniform(-self._max_angle, self._max_angle)}

    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        return artifacts.add_curtaining(image, recipe["strength"], rng, recipe["width"], recipe["angle_deg"])


class RandChargingd(RandArtifactd):
    """Add bright halos and row-wise streaks beside dark regions (`artifacts.add_charging`).

    ``strength``: the brightest glow, in standard deviations of the image; ``halo``: its width, pixels; ``length``: over
    which a streak decays, pixels.
    """

    ranges: ClassVar = {"strength": (0.3, 1.5), "halo": (3.0, 9.0), "length": (5.0, 40.0)}

    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        source, halo = artifacts.dark_phase(image), round(recipe["halo"])
        return artifacts.add_charging(image, source, recipe["strength"], rng, halo, recipe["length"])


class RandShotNoised(RandArtifactd):
    """Add noise whose variance grows with the signal (`artifacts.add_shot_noise`).

    The signal's zero is not known after the normalisation; it is taken three deviations below the mean.

    ``shot``: the counting noise at the image's mean, and ``read``: the noise that does not depend on the signal, both
    in standard deviations of the image.
    """

    ranges: ClassVar = {"shot": (0.05, 0.4), "read": (0.0, 0.1)}

    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        return artifacts.add_shot_noise(image, recipe["shot"], recipe["read"], rng, black=-3.0, white=0.0)


def _checked(name: str, limits: Range) -> Range:
    try:
        low, high = (float(value) for value in limits)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if not 0 <= low <= high:
        raise UserError(f"{name} must be a pair (low, high) with 0 <= low <= high, got {limits!r}")
    return low, high


#: smoothing of the random field whose highest values are the grains (px): about their size
_SIZES = (6.0, 24.0)
#: share of the image that they cover
_SHARES = (0.01, 0.12)
#: their grey level, in standard deviations of the image above its mean
_LEVELS = (1.0, 4.0)
#: what is finer (px) is noise of the detector, and is seen on the grains too
_NOISE = 3.0


class RandBrightMineralsd(MapTransform, RandomizableTransform):
    """Lay grains brighter than the rock over an image, and take what lies below them out of its label.

    A network that has seen no bright mineral may call it pore: what it never saw, it can call anything. Grains are
    smooth random shapes of one grey level, with the image's own noise.

    Args:
        keys: image (C, H, W), normalised to mean 0 and spread 1, and its codes (1, H, W), in this order.
        prob: of an image.
        covered: what the label says of the grains: 0, no pore; or `UNLABELLED`, where they may be another phase.
    """

    def __init__(self, keys: KeysCollection, prob: float = 0.2, covered: int = 0) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self._covered = covered

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, Any]:
        self.randomize(None)
        out = dict(data)
        if not self._do_transform:
            return out
        image_key, label_key = self.keys
        image = convert_to_numpy(data[image_key]).astype(np.float32)
        field = gaussian_filter(self.R.standard_normal(image.shape[1:]).astype(np.float32), self.R.uniform(*_SIZES))
        grains = field > np.quantile(field, 1 - self.R.uniform(*_SHARES))
        level = float(self.R.uniform(*_LEVELS))
        cover = gaussian_filter(grains.astype(np.float32), 1.0)
        noise = image - gaussian_filter(image, (0, _NOISE, _NOISE))
        # of a fine-grained rock, half of it is texture
        image = image * (1 - cover) + (level + 0.5 * noise) * cover
        label = convert_to_numpy(data[label_key]).copy()
        label[:, grains] = self._covered
        out[image_key] = convert_to_dst_type(image, data[image_key])[0]
        out[label_key] = convert_to_dst_type(label, data[label_key])[0]
        return out
