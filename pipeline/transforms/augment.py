"""MONAI transforms that add SEM artefacts to an image during training.

They expect channel-first tensors ``(C, H, W)`` whose rows are the scan direction and whose intensities were
normalised over the whole image to about zero mean and unit spread: strengths count in standard deviations,
and nothing is clipped. Put them after flips and rotations, which would turn the scan direction. Each has a
dictionary version below it, with the same settings.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import InvertibleTransform, MapTransform, RandomizableTransform
from monai.utils import TraceKeys, TransformBackends, convert_to_dst_type, convert_to_numpy
from monai.utils.misc import MAX_SEED

from pipeline.errors import UserError
from pipeline.transforms import artifacts

Range = tuple[float, float]


class RandArtifact(RandomizableTransform):
    """What the artefact transforms share: draw a small recipe, then apply it to each channel alike.

    A recipe holds the drawn strengths and a seed for the pattern, so that several images can get the same
    artefact. Integer images become float32. The type that came in goes out (array, tensor or MetaTensor with
    its metadata).
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012  (MONAI declares a list)

    def __init__(self, prob: float) -> None:
        RandomizableTransform.__init__(self, prob)
        self.recipe: dict[str, Any] = {}

    def randomize(self, data: Any = None) -> None:
        """Decide whether to act, and draw the recipe; `data` is not looked at."""
        super().randomize(None)
        if self._do_transform:
            self.recipe = self.draw() | {"seed": int(self.R.randint(MAX_SEED, dtype="uint32"))}

    @abstractmethod
    def draw(self) -> dict[str, Any]:
        """Draw the parameters of one artefact from ``self.R``."""

    @abstractmethod
    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        """Add the artefact to one float32 channel of shape ``(H, W)``."""

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        """
        Args:
            img: ``(C, H, W)``.
            randomize: whether to draw again; otherwise the last recipe is used again.

        Raises:
            UserError: when `img` is not ``(C, H, W)``.
        """
        if randomize:
            self.randomize()
        return self.apply_recipe(img, self.recipe) if self._do_transform else img

    def apply_recipe(self, img: NdarrayOrTensor, recipe: dict[str, Any]) -> NdarrayOrTensor:
        """Apply `recipe` to every channel of `img`, keeping its type, floating dtype, device and metadata."""
        channels = convert_to_numpy(img).astype(np.float32, copy=False)
        if channels.ndim != 3:
            raise UserError(
                f"{type(self).__name__} needs one image of shape (C, H, W), got {tuple(channels.shape)}: "
                "put it after the loading of a two-dimensional, channel-first image"
            )
        out = np.stack([self.apply(channel, recipe, np.random.default_rng(recipe["seed"])) for channel in channels])
        is_float = img.is_floating_point() if isinstance(img, torch.Tensor) else np.issubdtype(img.dtype, np.floating)
        return convert_to_dst_type(out, img, dtype=img.dtype if is_float else np.float32)[0]

    def uniform(self, limits: Range) -> float:
        """Draw from ``limits = (low, high)``."""
        return float(self.R.uniform(*limits))


class RandArtifactd(RandomizableTransform, MapTransform):
    """What the dictionary versions share: all keys get the same artefact, or none does.

    Args:
        keys: the images' keys; labels do not belong here.
        prob: probability of acting.
        allow_missing_keys: go on without a key that is not there.
        settings: as for the array transform, `array`.
    """

    backend = RandArtifact.backend
    array: type[RandArtifact]

    def __init__(
        self, keys: KeysCollection, prob: float = 0.1, allow_missing_keys: bool = False, **settings: Any
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.artifact = self.array(prob=1.0, **settings)  # it acts whenever this class decides so

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> RandArtifactd:
        super().set_random_state(seed, state)
        self.artifact.set_random_state(seed, state)
        return self

    def randomize(self, data: Any = None) -> None:
        super().randomize(None)
        if self._do_transform:
            self.artifact.randomize()

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        self.randomize()
        for key in self.key_iterator(d):
            if self._do_transform:
                d[key] = self.artifact.apply_recipe(d[key], self.artifact.recipe)
        return d


class RandShading(RandArtifact, InvertibleTransform):
    """Add a smooth illumination field (`artifacts.add_shading`).

    Invertible: the field is additive and its recipe is kept in the MetaTensor's trace, so `inverse` subtracts
    it. (The other artefacts do not invert: curtains, glow and noise are drawn pixel by pixel, or depend on
    the image itself, and nobody maps a prediction back through them.) A plain tensor carries no trace and
    cannot be inverted.

    Args:
        prob: probability of acting.
        strength: range of the field's largest change, in standard deviations of the image.
    """

    def __init__(self, prob: float = 0.1, strength: Range = (0.1, 0.6)) -> None:
        RandArtifact.__init__(self, prob)
        self.strength = checked_range("strength", strength)

    def draw(self) -> dict[str, Any]:
        return {
            "strength": self.uniform(self.strength),
            "coefficients": self.R.normal(size=len(artifacts.SHADING_TERMS)).tolist(),
        }

    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        return artifacts.add_shading(image, recipe["strength"], recipe["coefficients"])

    def __call__(self, img: NdarrayOrTensor, randomize: bool = True) -> NdarrayOrTensor:
        out = super().__call__(img, randomize)
        if out is img and isinstance(img, torch.Tensor):
            out = img.clone()  # the trace goes onto the result, and must leave the caller's tensor alone
        self.push_transform(out, extra_info=dict(self.recipe) if self._do_transform else {})
        return out

    def inverse(self, data: NdarrayOrTensor) -> NdarrayOrTensor:
        """Subtract the field that was added last."""
        return self.undo(data, self.pop_transform(data))

    def undo(self, data: NdarrayOrTensor, trace: dict[str, Any]) -> NdarrayOrTensor:
        """Subtract the field that `trace`, an entry of a MetaTensor's applied operations, describes."""
        if not trace[TraceKeys.DO_TRANSFORM]:
            return data
        recipe = trace[TraceKeys.EXTRA_INFO]
        return self.apply_recipe(data, recipe | {"strength": -recipe["strength"]})


class RandShadingd(RandArtifactd, InvertibleTransform):
    """Dictionary version of `RandShading`, invertible like it."""

    array = RandShading
    artifact: RandShading

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = super().__call__(data)
        for key in self.key_iterator(d):
            image = d[key]
            if image is data[key] and isinstance(image, torch.Tensor):
                d[key] = image.clone()  # the trace goes onto the result, and must leave the caller's tensor alone
            self.push_transform(d[key], extra_info=dict(self.artifact.recipe) if self._do_transform else {})
        return d

    def inverse(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        """Subtract the field that was added last to each key."""
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.artifact.undo(d[key], self.pop_transform(d[key]))
        return d


class RandCurtaining(RandArtifact):
    """Add milling stripes along the columns (`artifacts.add_curtaining`). Not invertible.

    Args:
        prob: probability of acting.
        strength: range of the stripes' standard deviation, in standard deviations of the image.
        width: range of a stripe's width, pixels.
        max_angle: largest tilt against the columns, either way, degrees.
    """

    def __init__(
        self,
        prob: float = 0.1,
        strength: Range = (0.05, 0.35),
        width: Range = (0.7, 3.0),
        max_angle: float = 5.0,
    ) -> None:
        super().__init__(prob)
        self.strength = checked_range("strength", strength)
        self.width = checked_range("width", width)
        self.max_angle = max_angle

    def draw(self) -> dict[str, Any]:
        return {
            "strength": self.uniform(self.strength),
            "width": self.uniform(self.width),
            "angle_deg": self.uniform((-self.max_angle, self.max_angle)),
        }

    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        return artifacts.add_curtaining(image, recipe["strength"], rng, recipe["width"], recipe["angle_deg"])


class RandCurtainingd(RandArtifactd):
    """Dictionary version of `RandCurtaining`."""

    array = RandCurtaining


class RandCharging(RandArtifact):
    """Add bright halos and row-wise streaks beside dark regions (`artifacts.add_charging`).

    Not invertible: where it glows depends on the image.

    Args:
        prob: probability of acting.
        strength: range of the brightest glow, in standard deviations of the image.
        halo: range of the halo's width, pixels.
        length: range of the streaks' decay length, pixels.
    """

    def __init__(
        self,
        prob: float = 0.1,
        strength: Range = (0.3, 1.5),
        halo: Range = (3, 9),
        length: Range = (5.0, 40.0),
    ) -> None:
        super().__init__(prob)
        self.strength = checked_range("strength", strength)
        self.halo = checked_range("halo", halo)
        self.length = checked_range("length", length)

    def draw(self) -> dict[str, Any]:
        return {
            "strength": self.uniform(self.strength),
            "halo": round(self.uniform(self.halo)),
            "length": self.uniform(self.length),
        }

    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        source = artifacts.dark_phase(image)
        return artifacts.add_charging(image, source, recipe["strength"], rng, recipe["halo"], recipe["length"])


class RandChargingd(RandArtifactd):
    """Dictionary version of `RandCharging`."""

    array = RandCharging


class RandShotNoise(RandArtifact):
    """Add noise whose variance grows with the signal (`artifacts.add_shot_noise`). Not invertible.

    The signal's zero is not known after the normalisation; it is taken three deviations below the mean.

    Args:
        prob: probability of acting.
        shot: range of the counting noise at the image's mean, in standard deviations of the image.
        read: range of the signal-independent noise, in the same unit.
    """

    def __init__(self, prob: float = 0.1, shot: Range = (0.05, 0.4), read: Range = (0.0, 0.1)) -> None:
        super().__init__(prob)
        self.shot = checked_range("shot", shot)
        self.read = checked_range("read", read)

    def draw(self) -> dict[str, Any]:
        return {"shot": self.uniform(self.shot), "read": self.uniform(self.read)}

    def apply(self, image: np.ndarray, recipe: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        return artifacts.add_shot_noise(image, recipe["shot"], recipe["read"], rng, black=-3.0, white=0.0)


class RandShotNoised(RandArtifactd):
    """Dictionary version of `RandShotNoise`."""

    array = RandShotNoise


def checked_range(name: str, limits: Range) -> Range:
    """Return `limits` as a pair of floats.

    Raises:
        UserError: when it is not ``0 <= low <= high``.
    """
    try:
        low, high = (float(value) for value in limits)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if not 0 <= low <= high:
        raise UserError(f"{name} must be a pair (low, high) with 0 <= low <= high, got {limits!r}")
    return low, high
