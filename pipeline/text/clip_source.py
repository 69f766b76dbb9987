"""The sources that encode prompts by a text tower: `clip`, behind a cache of features on disk, and `untrained`."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from pipeline.files import atomic_path
from pipeline.text.clip_tower import TextTower, load_clip_tower, model_config
from pipeline.text.clip_weights import check_local, weights_digest
from pipeline.text.features import Provenance, TextFeatures
from pipeline.text.sources import TextSource

logger = logging.getLogger("vlsenet")

#: sizes and seed of the untrained tower
_SIZES = {"width": 128, "heads": 4, "layers": 2, "output_dim": 256}
_SEED = 0


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/vlsenet/text`, by default `~/.cache/vlsenet/text`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vlsenet" / "text"


class FeatureCache:
    """Features of one source, model and set of weights, a safetensors file for each prompt.

    Args:
        folder: where the files lie; made when the first one is written.
        source: as `TextSource.describe` has it, like `model` and `weights_id` (a tag, a hash).
        dim: width D of the model's features.
    """

    def __init__(self, folder: str | Path, source: str, model: str, weights_id: str, dim: int) -> None:
        self._folder = Path(folder)
        self._dim = dim
        self._identity = (source, model, weights_id)

    def path(self, prompt: str) -> Path:
        """The file of a prompt; its name is the sha256 of prompt, source, model and weights."""
        key = json.dumps([prompt, *self._identity])
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.safetensors"

    def get(self, prompt: str) -> TextFeatures | None:
        """The cached features, None where there are none. A damaged or closed file counts as none; the log names it."""
        path = self.path(prompt)
        try:
            tensors = load(path.read_bytes())
            features = TextFeatures(tensors["text"], tensors["tokens"])
            if features.text.shape != (self._dim,) or features.tokens.shape[1:] != features.text.shape:
                raise ValueError(f"shapes {tuple(features.text.shape)} and {tuple(features.tokens.shape)}")
            if not all(tensor.is_floating_point() and tensor.isfinite().all() for tensor in tensors.values()):
                raise ValueError("values that are not finite")
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("text feature cache %s cannot be read (%s): encoding again", path, error.strerror)
            return None
        except (SafetensorError, KeyError, ValueError) as error:
            logger.warning("damaged text feature cache %s (%s): encoding again", path, error)
            return None
        return features

    def put(self, prompt: str, features: TextFeatures) -> None:
        """Store the features of a prompt, atomically. Where the folder can't be written, the log says so."""
        try:
            with atomic_path(self.path(prompt)) as temporary:
                # safetensors' own files are for their owner alone, whatever the umask
                temporary.write_bytes(save({"text": features.text, "tokens": features.tokens}, {"prompt": prompt}))
        except (SafetensorError, OSError) as error:
            logger.warning("text features are not cached: %s cannot be written (%s)", self._folder, error)


class ClipSource(TextSource):
    """CLIP's text tower, loaded only when a prompt is not in the cache.

    Args are those of `pipeline.text.build_text_source`. Without local weights those of the tag are taken, from the hub
    or its cache.

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

    def describe(self) -> Provenance:
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


class UntrainedSource(TextSource):
    """A text transformer of two layers that was never trained, the same on each machine.

    It exercises all that CLIP would (tokens, shapes, cache of the store) at once and offline; its features carry no
    meaning, and each use says so in the log.
    """

    dim = _SIZES["output_dim"]

    def encode_phrases(self, phrases: Sequence[str]) -> dict[str, TextFeatures]:
        logger.warning(
            "UNTRAINED TEXT TOWER (text_source untrained): the text features carry no meaning. "
            "For results, use text_source clip, or learned."
        )
        return {phrase: self._tower.encode(phrase) for phrase in phrases}

    @cached_property
    def _tower(self) -> TextTower:
        import open_clip
        from open_clip.transformer import TextTransformer

        # the caller's random state stays as it was: text must not change what a seed means
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            transformer = TextTransformer(**_SIZES)
        return TextTower(transformer, open_clip.SimpleTokenizer())

    def describe(self) -> Provenance:
        return {
            "source": "untrained",
            "model": "small",
            "pretrained": None,
            "weights_id": f"seed{_SEED}",
            "trained": False,
            "dim": self.dim,
            "length": 77,
        }
