"""Bright minerals laid over images during training."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_dst_type, convert_to_numpy
from scipy.ndimage import gaussian_filter

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
