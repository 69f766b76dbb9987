"""Grey levels as the network sees them, and the text features of a sample."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_numpy

from pipeline.foreground.measurement import ShadingChoice, network_image
from pipeline.text import TextStore


class NormaliseMicrographd(MapTransform):
    """Grey values as the prediction engine shows them to the network: mean 0 and spread 1 over the image's rock.

    Drifts of brightness, and the steps between the fields of a mosaic, are taken out place by place. An image of one
    grey value, which has no spread, becomes 0.

    Args:
        keys: keys of the images (C, H, W).
        skip_empty: leave empty ground around the rock out of the statistics.
        flatten_shading: take slow changes of brightness out; or `both`, which makes two channels of each, without and
            with them.
        name_key: key of the image's name, for messages.
        allow_missing_keys: whether images may be missing.
    """

    def __init__(
        self,
        keys: KeysCollection,
        skip_empty: bool = True,
        flatten_shading: ShadingChoice = True,
        name_key: str = "name",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self._how = skip_empty, flatten_shading
        self._name_key = name_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Normalise each channel by itself; the values that were given are not written into."""
        out = dict(data)
        name = str(out.get(self._name_key, "image"))
        for key in self.key_iterator(out):
            channels = [network_image(channel, name, *self._how) for channel in convert_to_numpy(out[key])]
            out[key] = convert_to_dst_type(np.concatenate(channels), out[key], dtype=np.float32)[0]
        return out


class TextFeaturesd(MapTransform):
    """Looks up the features of each prompt: adds ``text`` (D,) and ``tokens`` (L, D) to a sample.

    Of several prompts, one for each of K phases, the features are ``text`` (K, D) and ``tokens`` (K, L, D).

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
            out["text"], out["tokens"] = self._store.together(out[key])
        return out
