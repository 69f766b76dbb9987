"""Dictionary versions of the transforms in `augment`: they touch the named keys and nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import InvertibleTransform, MapTransform, RandomizableTransform

from pipeline.transforms.augment import (
    RandArtifact,
    RandCharging,
    RandCurtaining,
    RandShading,
    RandShotNoise,
    Range,
)


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
