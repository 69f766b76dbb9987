"""Labels of phases in training: label values to codes, patches that hold a phase, codes to targets."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import Crop, MapTransform, RandSpatialCropd
from monai.utils import convert_to_dst_type, convert_to_numpy

from pipeline.phases import UNLABELLED, LabelValues, decided, targets


class PhaseCodesd(MapTransform):
    """Label values (1, H, W) to codes of phases (1, H, W), uint8; see `pipeline.phases`.

    Args:
        keys: of the labels.
        names: of the network's phases, in order.
        values_key: what the values of the sample's data set mean (`LabelValues`).
        named_key: is added: which of the phases its data set has labels for, (K,), truth values.
    """

    def __init__(
        self, keys: KeysCollection, names: Sequence[str], values_key: str = "values", named_key: str = "named"
    ) -> None:
        super().__init__(keys)
        self._names, self._values_key, self._named_key = tuple(names), values_key, named_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        values: LabelValues = out.pop(self._values_key)  # a batch can't hold it
        for key in self.key_iterator(out):
            label = convert_to_numpy(out[key])
            out[key] = torch.from_numpy(np.stack([values.codes(channel, self._names) for channel in label]))
        out[self._named_key] = values.named_among(self._names)
        return out


class RandPhaseCropd(RandSpatialCropd):
    """Cut a patch where labels are, some of them around a pixel of one of the image's phases.

    So a phase that is rare in its image, or in its data set, comes as often as the sample's shares say
    (`pipeline.workflows.patch_draws.DrawPlan`). The other patches lie around any labelled pixel, or anywhere in an
    image that is labelled as a whole. MONAI's `RandCropByLabelClassesd` has the same shares for all images, centres
    patches on the pixel, and knows no unlabelled ones.

    Args:
        keys: image and codes (1, H, W), of equal size, neither side below the patch's.
        size: side of the patch (px).
        label_key: that of the codes.
        shares_key: shares of the image's patches that hold each of the phases, (K,), together 1 at most; is taken out.
            Without it the patch lies anywhere.
    """

    def __init__(
        self, keys: KeysCollection, size: int, label_key: str = "label", shares_key: str = "phase_shares"
    ) -> None:
        super().__init__(keys, (size, size), random_size=False)
        self._size, self._label_key, self._shares_key = size, label_key, shares_key

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:
        out = dict(data)
        shares = out.pop(self._shares_key, None)
        if shares is None:
            return dict(super().__call__(out, lazy))
        codes = convert_to_numpy(out[self._label_key])[0]
        wanted = self._wanted(codes, shares)
        if wanted is None or not len(wanted):
            return dict(super().__call__(out, lazy))
        pixel = divmod(int(wanted[self.R.randint(len(wanted))]), codes.shape[1])
        rows, columns = (self._holding(at, side) for at, side in zip(pixel, codes.shape, strict=True))
        # not an index: of a `MetaTensor` it would leave the place where it was
        return {**out, **{key: Crop()(out[key], slices=(rows, columns)) for key in self.key_iterator(out)}}

    def _wanted(self, codes: np.ndarray, shares: np.ndarray) -> np.ndarray | None:
        """Places of the pixels one of which the patch is to hold; None where it may lie anywhere."""
        drawn = int(np.searchsorted(shares.cumsum(), self.R.random(), side="right"))
        if drawn < len(shares):
            return np.flatnonzero(codes == 1 + drawn)
        labelled = codes != UNLABELLED
        return None if labelled.all() else np.flatnonzero(labelled)

    def _holding(self, at: int, side: int) -> slice:
        """Rows or columns of a patch within `side` pixels that holds `at`, at any place in it."""
        low, high = max(0, at - self._size + 1), min(at, side - self._size)
        start = int(self.R.randint(low, high + 1))
        return slice(start, start + self._size)


class PhaseTargetsd(MapTransform):
    """Codes (1, H, W) to targets (K, H, W), float32: 1 the phase, 0 not, below 0 where it is not known.

    Args:
        keys: of the codes.
        named_key: which phases the sample's data set has labels for.
    """

    def __init__(self, keys: KeysCollection, named_key: str = "named") -> None:
        super().__init__(keys)
        self._named_key = named_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        named = np.asarray(out[self._named_key], bool)
        for key in self.key_iterator(out):
            (codes,) = convert_to_numpy(out[key])
            out[key] = torch.from_numpy(targets(codes, named))
        return out


class DecidedPhasesd(MapTransform):
    """Probabilities (K, H, W) to masks (K, H, W), float32, of which at most one is 1 at a pixel; see `decided`.

    Phases that the sample's labels do not name take no part: what they take for themselves could not be scored.

    Args:
        keys: of the probabilities.
        thresholds: of each phase.
        label_key: of the targets (K, H, W).
    """

    def __init__(self, keys: KeysCollection, thresholds: Sequence[float], label_key: str = "label") -> None:
        super().__init__(keys)
        self._thresholds, self._label_key = tuple(thresholds), label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        named = (convert_to_numpy(out[self._label_key]) >= 0).any(axis=(1, 2))
        numbers = np.arange(1, len(named) + 1)[:, None, None]
        for key in self.key_iterator(out):
            probability = np.where(named[:, None, None], convert_to_numpy(out[key]), -1)
            masks = decided(probability, self._thresholds) == numbers
            out[key] = convert_to_dst_type(masks, out[key], dtype=np.float32)[0]
        return out
