"""The source `clip`: open_clip's pretrained text tower behind the feature cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from pipeline.text.cache import FeatureCache, default_cache_dir
from pipeline.text.clip_tower import load_clip_tower, model_config
from pipeline.text.clip_weights import check_local, weights_digest
from pipeline.text.features import TextFeatures
from pipeline.text.sources import TextSource
from pipeline.text.tower import TextTower


class ClipSource(TextSource):
    """CLIP's text tower, loaded only when a prompt is not in the cache.

    Args:
        model: open_clip's name of the architecture.
        pretrained: open_clip's tag of the weights.
        weights: local file or folder with the weights; None takes those of the tag, from the hub or its cache.
        cache_dir: folder of the feature cache; None takes the default.

    Raises:
        UserError: `weights` does not exist.
    """

    def __init__(self, model: str, pretrained: str, weights: str | Path | None, cache_dir: str | Path | None) -> None:
        self._model = model
        self._pretrained = pretrained
        self._weights = check_local(weights) if weights else None
        self._cache_dir = Path(cache_dir) if cache_dir else default_cache_dir()

    @property
    def dim(self) -> int:
        return model_config(self._model, self._weights)["embed_dim"]

    def encode_phrases(self, phrases: Sequence[str]) -> dict[str, TextFeatures]:
        features = {}
        for phrase in phrases:
            found = self._cache.get(phrase)
            if found is None:
                found = self._tower.encode(phrase)
                self._cache.put(phrase, found)
            features[phrase] = found
        return features

    def describe(self) -> dict[str, str | int | bool | None]:
        config = model_config(self._model, self._weights)
        return {
            "source": "clip",
            "model": self._model,
            "pretrained": self._pretrained,
            "weights_id": self._weights_id,
            "trained": True,
            "dim": config["embed_dim"],
            "length": config["text_cfg"].get("context_length", 77),
        }

    @cached_property
    def _weights_id(self) -> str:
        # The tag counts beside the hash of local weights, as it decides on quick-GELU.
        return f"{self._pretrained}:{weights_digest(self._weights)}" if self._weights else self._pretrained

    @cached_property
    def _cache(self) -> FeatureCache:
        return FeatureCache(self._cache_dir, "clip", self._model, self._weights_id, self.dim)

    @cached_property
    def _tower(self) -> TextTower:
        return load_clip_tower(self._model, self._pretrained, self._weights)
