"""Dictionary versions of the transforms in `augment`, and bright minerals laid over images."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import InvertibleTransform, MapTransform, RandomizableTransform
from monai.utils import convert_to_dst_type, convert_to_numpy
from scipy.ndimage import gaussian_filter

from pipeline.transforms.augment import RandArtifact, RandCharging, RandCurtaining, RandShading, RandShotNoise, Range

#: smoothing of the random field whose highest values are the grains (px): about their size
_SIZES = (6.0, 24.0)
#: share of the image that they cover
_SHARES = (0.01, 0.12)
#: their grey level, in standard deviations of the image above its mean
_LEVELS = (1.0, 4.0)
#: what is finer (px) is noise of the detector, and is seen on the grains too
_NOISE = 3.0


class RandBrightMineralsd(MapTransform, RandomizableTransform):
    """Lay grains brighter than the rock over an image, and take the pores below them out of its label.

    A network that has seen no bright mineral may call it pore: what it never saw, it can call anything. Grains are
    smooth random shapes of one grey level, with the image's own noise.

    Args:
        keys: image (C, H, W), normalised to mean 0 and spread 1, and its label (C, H, W), in this order.
        prob: of an image.
    """

    def __init__(self, keys: KeysCollection, prob: float = 0.2) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)

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
        label[:, grains] = 0
        out[image_key] = convert_to_dst_type(image, data[image_key])[0]
        out[label_key] = convert_to_dst_type(label, data[label_key])[0]
        return out


class RandArtifactd(RandomizableTransform, MapTransform):
    """What the dictionary versions share: all keys get the same artefact, or none does.

    Args:
        keys: the images' keys; labels do not belong here.
        artifact: the array transform that does the work; built with ``prob=1``, since this class decides.
        prob: probability of acting.
        allow_missing_keys: go on without a key that is not there.
    """

    backend = RandArtifact.backend

    def __init__(self, keys: KeysCollection, artifact: RandArtifact, prob: float, allow_missing_keys: bool) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.artifact = artifact

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


class RandShadingd(RandArtifactd, InvertibleTransform):
    """Dictionary version of `RandShading`, invertible like it."""

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        strength: Range = (0.1, 0.6),
        allow_missing_keys: bool = False,
    ) -> None:
        self.shading = RandShading(1.0, strength)
        RandArtifactd.__init__(self, keys, self.shading, prob, allow_missing_keys)

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
            d[key] = self.shading.undo(d[key], self.pop_transform(d[key]))
        return d


class RandCurtainingd(RandArtifactd):
    """Dictionary version of `RandCurtaining`."""

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        strength: Range = (0.05, 0.35),
        width: Range = (0.7, 3.0),
        max_angle: float = 5.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, RandCurtaining(1.0, strength, width, max_angle), prob, allow_missing_keys)


class RandChargingd(RandArtifactd):
    """Dictionary version of `RandCharging`."""

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        strength: Range = (0.3, 1.5),
        halo: Range = (3, 9),
        length: Range = (5.0, 40.0),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, RandCharging(1.0, strength, halo, length), prob, allow_missing_keys)


class RandShotNoised(RandArtifactd):
    """Dictionary version of `RandShotNoise`."""

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        shot: Range = (0.05, 0.4),
        read: Range = (0.0, 0.1),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, RandShotNoise(1.0, shot, read), prob, allow_missing_keys)
