"""Grey levels relative to those of the whole micrograph, and the text features of a sample."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, NormalizeIntensity
from monai.utils import convert_to_dst_type, convert_to_numpy

from pipeline.foreground.shading import Shading
from pipeline.text import TextStore


class NormaliseByIntensityd(MapTransform):
    """Subtract the mean and divide by the standard deviation that the sample carries.

    MONAI's NormalizeIntensityd measures the array that it is given. A tile of a micrograph that is mostly grain would
    so be stretched until its shadows look like pores; the statistics of the micrograph that it was cut from keep dark
    what is dark. Drifts of brightness, and the steps between the fields of a mosaic, are another matter: they are taken
    out place by place (:class:`pipeline.foreground.shading.Shading`), each image for itself.

    Args:
        keys: keys of the images.
        intensity_key: key of the :class:`pipeline.foreground.intensity.Intensity` to use.
        flatten: take slow changes of brightness out.
        allow_missing_keys: whether images may be missing.
    """

    def __init__(
        self,
        keys: KeysCollection,
        intensity_key: str = "intensity",
        flatten: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self._intensity_key = intensity_key
        self._flatten = flatten

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Normalise; an image of one grey value, which has no spread, becomes 0. The statistics are left out."""
        out = dict(data)
        intensity = out.pop(self._intensity_key)
        # MONAI takes numbers as well as the arrays that it declares
        normalise = NormalizeIntensity(intensity.mean, intensity.std or 1.0)  # type: ignore[arg-type]
        for key in self.key_iterator(out):
            channels = convert_to_numpy(out[key]) if self._flatten and intensity.std else ()
            shading = [Shading.of(channel, intensity) for channel in channels]
            out[key] = image = normalise(out[key])
            if shading:
                relative = np.array(convert_to_numpy(image), np.float32)  # a copy: it is changed in place
                for place, channel in zip(shading, relative, strict=True):
                    place.flatten(channel)
                out[key] = convert_to_dst_type(relative, image)[0]
        return out


class TextFeaturesd(MapTransform):
    """Looks up the features of each prompt: adds ``text`` (D,) and ``tokens`` (L, D) to a sample.

    Args:
        keys: keys of the prompts; the features' names carry no key, so there is usually one.
        store: features of every prompt that will come.
    """

    def __init__(self, keys: KeysCollection, store: TextStore) -> None:
        super().__init__(keys)
        self._store = store

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Raises: UserError: a prompt that the store does not hold."""
        out = dict(data)
        for key in self.key_iterator(out):
            out["text"], out["tokens"] = self._store.get(out[key])
        return out
