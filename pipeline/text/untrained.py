"""The source `untrained`: CLIP's form, small and with random weights, for tests and the demo."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch

from pipeline.text.clip_tower import TextTower
from pipeline.text.features import TextFeatures
from pipeline.text.sources import TextSource

logger = logging.getLogger("vlsenet")

_SIZES = {"width": 128, "heads": 4, "layers": 2, "output_dim": 256}
_SEED = 0


class UntrainedSource(TextSource):
    """A text transformer of two layers that was never trained, the same on each machine.

    It exercises all that CLIP would (tokens, shapes, cache of the store) at once and offline; its features carry no
    meaning, and each use says so in the log.
    """

    def __init__(self) -> None:
        self._tower: TextTower | None = None

    @property
    def dim(self) -> int:
        return _SIZES["output_dim"]

    def encode_phrases(self, phrases: Sequence[str]) -> dict[str, TextFeatures]:
        logger.warning(
            "UNTRAINED TEXT TOWER (text_source untrained): the text features carry no meaning. "
            "For results, use text_source clip, or learned."
        )
        if self._tower is None:
            self._tower = _build_tower()
        return {phrase: self._tower.encode(phrase) for phrase in phrases}

    def describe(self) -> dict[str, str | int | bool | None]:
        return {
            "source": "untrained",
            "model": "small",
            "pretrained": None,
            "weights_id": f"seed{_SEED}",
            "trained": False,
            "dim": self.dim,
            "length": 77,
        }


def _build_tower() -> TextTower:
    import open_clip
    from open_clip.transformer import TextTransformer

    # the caller's random state stays as it was: text must not change what a seed means
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        transformer = TextTransformer(**_SIZES)
    return TextTower(transformer, open_clip.SimpleTokenizer())
