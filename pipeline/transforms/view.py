"""The surroundings of a training patch, cut from the whole micrograph at an eighth of its resolution."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_numpy
from scipy.ndimage import affine_transform

from pipeline.networks.surroundings import FACTOR, view_margin, view_side


class PatchViewd(MapTransform):
    """Adds the view around a patch, as the micrograph would be around it had it been cropped, turned and zoomed whole.

    Where the patch lies is read from its affine, which MONAI's spatial transforms keep. So it follows any of them to a
    fraction of a pixel, whatever their order; it comes after the last of them.

    Args:
        keys: the patch (C, H, W), a `MetaTensor`; one key.
        reach: of the network, beyond the patch (px).
        coarse_key: the micrograph that it was cut from at an eighth of its resolution (2, H' / 8, W' / 8), with the
            affine of that micrograph at full resolution; is taken out.
        view_key: is added, (2, `view_side(H)`, `view_side(W)`), float32.
    """

    def __init__(self, keys: KeysCollection, reach: int, coarse_key: str = "coarse", view_key: str = "view") -> None:
        super().__init__(keys)
        self._reach, self._coarse_key, self._view_key = reach, coarse_key, view_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        coarse = out.pop(self._coarse_key)
        patch = out[self.keys[0]]
        to_micrograph = np.linalg.solve(coarse.affine.numpy(), patch.affine.numpy())
        margin = view_margin(self._reach)
        to_patch, to_coarse = _scaled(FACTOR, -margin), np.linalg.inv(_scaled(FACTOR))
        place = to_coarse @ to_micrograph @ to_patch
        size = tuple(view_side(side, self._reach) for side in patch.shape[1:])
        channels = [
            # beyond the micrograph there is nothing, and half of a pixel at its border is half of one
            affine_transform(channel, place[:2, :2], place[:2, 2], size, order=1, mode="grid-constant")
            for channel in convert_to_numpy(coarse)
        ]
        out[self._view_key] = torch.from_numpy(np.stack(channels))
        return out


def _scaled(factor: int, first: int = 0) -> np.ndarray:
    """From coarse pixels, counted from the one numbered `first`, to fine ones, as a matrix (3, 3) of their centres."""
    return np.array([[factor, 0, factor * (first + 0.5) - 0.5], [0, factor, factor * (first + 0.5) - 0.5], [0, 0, 1.0]])


class RandViewGreysd(MapTransform, RandomizableTransform):
    """Another contrast and brightness of the view, and nothing outside of the image.

    Args:
        keys: of views (2, H, W).
        prob: of acting.
        factors: the contrast changes by up to this share, either way.
        offsets: and the brightness by this, in standard deviations of the micrograph.
    """

    def __init__(self, keys: KeysCollection, prob: float = 0.8, factors: float = 0.3, offsets: float = 0.3) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self._factors, self._offsets = factors, offsets

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        self.randomize(None)
        if self._do_transform:
            factor, offset = (
                self.R.uniform(-self._factors, self._factors),
                self.R.uniform(-self._offsets, self._offsets),
            )
            for key in self.key_iterator(out):
                grey, inside = out[key]
                out[key] = torch.stack([grey * (1 + factor) + offset * inside, inside])
        return out
