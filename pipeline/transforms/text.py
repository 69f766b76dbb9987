"""Text features for the samples of a batch."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from pipeline.text import TextStore


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
