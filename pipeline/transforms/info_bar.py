"""Cutting the microscope's info bar off."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import Crop, InvertibleTransform, MapTransform

from pipeline.errors import UserError
from pipeline.microscope import Acquisition, info_bar_height, read_bottom
from pipeline.transforms.reader import ACQUISITION_KEY


class CropInfoBard(MapTransform, InvertibleTransform):
    """Cuts the info bar off an image, and the same rows off what belongs to it.

    The bar lies below the image, so that the affine's origin stays. The inverse puts rows of zeros in its place: a
    mask gets the size of the file again, without pore in the bar.

    Args:
        keys: the image's key, whose bar it is, and those of labels. A label of another height than the image is left
            as it is, where it has the height of the image without the bar.
        info_bar: ``auto``, ``keep`` or the bar's height (px), as for :func:`pipeline.microscope.info_bar_height`.
        rows_key: key of the number of rows above the bar, where it is known already; `info_bar` is not used then.
        allow_missing_keys: whether labels may be missing.
    """

    def __init__(
        self,
        keys: KeysCollection,
        info_bar: str | int = "auto",
        rows_key: str | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self._info_bar = info_bar
        self._rows_key = rows_key
        self._crop = Crop()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Crop (C, H, W) to (C, H - bar, W).

        Raises:
            UserError: the choice is not one of these, or a label's height fits neither.
        """
        out = dict(data)
        first = out[self.keys[0]]
        height = first.shape[1]
        kept = height - self._bar_of(first) if self._rows_key is None else int(out[self._rows_key])
        for key in self.key_iterator(out):
            rows = out[key].shape[1]
            if rows not in (height, kept):
                raise UserError(
                    f"{key} has {rows} rows, but its image has {height} with and {kept} without the info bar; export "
                    "the label at the image's size"
                )
            if kept < rows:
                out[key] = self._crop(out[key], slices=(slice(0, kept), slice(None)))
        return out

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Put rows of zeros where the bar was, in those that were cropped."""
        out = dict(data)
        for key in self.key_iterator(out):
            done = getattr(out[key], "applied_operations", None)
            if done and done[-1].get("class") == "Crop":
                out[key] = self._crop.inverse(out[key])
        return out

    def _bar_of(self, image: Any) -> int:
        channel = image[0]
        pixels = channel.detach().cpu().numpy() if isinstance(channel, torch.Tensor) else np.asarray(channel)
        height, width = pixels.shape
        bottom = read_bottom(
            lambda top, left, high, wide: pixels[top : top + high, left : left + wide], (height, width)
        )
        stated = getattr(image, "meta", {}).get(ACQUISITION_KEY, {}).get("bar_height", math.nan)
        acquisition = Acquisition(bar_height=None if math.isnan(stated) else int(stated))
        return info_bar_height(self._info_bar, acquisition, bottom, height)
