"""On-disk cache of text features: a prompt is encoded once per model and weights, not once per run."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save

from pipeline.atomic import atomic_path
from pipeline.text.features import TextFeatures

logger = logging.getLogger("vlsenet")


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/vlsenet/text`, by default `~/.cache/vlsenet/text`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vlsenet" / "text"


class FeatureCache:
    """Features of one source, model and set of weights, a safetensors file for each prompt.

    Args:
        folder: where the files lie; made when the first one is written.
        source: name of the source, as in `TextSource`.
        model: name of the architecture.
        weights_id: what tells these weights from others: a tag, a hash.
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
