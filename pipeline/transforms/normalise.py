"""Grey levels as the network sees them, and the text features of a sample."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_numpy

from pipeline.foreground.measurement import ShadingChoice
from pipeline.foreground.whole_image import seen_image
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
        coarse_key: is added: the whole image at an eighth of its resolution (2, H / 8, W / 8), as the surroundings of
            its parts are shown, with the image's affine (`CoarseMicrograph`); None: it is not needed.
    """

    def __init__(
        self,
        keys: KeysCollection,
        skip_empty: bool = True,
        flatten_shading: ShadingChoice = True,
        name_key: str = "name",
        allow_missing_keys: bool = False,
        coarse_key: str | None = None,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self._how = skip_empty, flatten_shading
        self._name_key, self._coarse_key = name_key, coarse_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Normalise each channel by itself; the values that were given are not written into."""
        out = dict(data)
        name = str(out.get(self._name_key, "image"))
        for key in self.key_iterator(out):
            given = out[key]
            channels = [seen_image(channel, name, *self._how) for channel in convert_to_numpy(given)]
            out[key] = convert_to_dst_type(np.concatenate([seen.fine for seen in channels]), given, dtype=np.float32)[0]
            if self._coarse_key is not None:
                out[self._coarse_key] = convert_to_dst_type(channels[0].coarse, given, dtype=np.float32)[0]
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
