"""Grey levels relative to those of the whole micrograph."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, NormalizeIntensity


class NormaliseByIntensityd(MapTransform):
    """Subtract the mean and divide by the standard deviation that the sample carries.

    MONAI's NormalizeIntensityd measures the array that it is given. A tile of a micrograph that is mostly grain would
    so be stretched until its shadows look like pores; the statistics of the micrograph that it was cut from keep dark
    what is dark.

    Args:
        keys: keys of the images.
        intensity_key: key of the :class:`pipeline.data.Intensity` to use.
        allow_missing_keys: whether images may be missing.
    """

    def __init__(
        self, keys: KeysCollection, intensity_key: str = "intensity", allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self._intensity_key = intensity_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Normalise; an image of one grey value, which has no spread, becomes 0. The statistics are left out."""
        out = dict(data)
        intensity = out.pop(self._intensity_key)
        # MONAI takes numbers as well as the arrays that it declares
        normalise = NormalizeIntensity(intensity.mean, intensity.std or 1.0)  # type: ignore[arg-type]
        for key in self.key_iterator(out):
            out[key] = normalise(out[key])
        return out
