"""From prompts to a text store, and from a stored one to one that knows more prompts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from pipeline.errors import UserError
from pipeline.text.ensemble import averaged, phrases_of
from pipeline.text.features import TextStore
from pipeline.text.sources import TextSource, build_text_source

#: Features of one tower agree to about 1e-6 between machines; those of another tower have a cosine far below this.
_SAME_TOWER_COSINE = 0.999


def build_text_store(source: TextSource, prompts: Iterable[str]) -> TextStore:
    """Encode each distinct prompt once.

    Args:
        source: where the features come from.
        prompts: the prompts of all images; repeats cost nothing.

    Raises:
        UserError: the source's weights are out of reach, or don't fit.
    """
    return TextStore(source.encode(list(dict.fromkeys(prompts))), source.describe())


def extend_text_store(
    store: TextStore, prompts: Iterable[str], *, weights: str | Path | None = None, cache_dir: str | Path | None = None
) -> None:
    """Add the prompts that the store lacks, encoded by the source that made the store.

    An ensemble whose phrases are all stored is their mean. Where nothing else is lacking this does nothing, and needs
    neither weights nor a connection.

    Args:
        store: a store with features in it, as loaded from a checkpoint.
        prompts: prompts that will be asked for.
        weights: local file or folder with the weights, for the source `clip`.
        cache_dir: folder of the feature cache.

    Raises:
        UserError: the weights are out of reach (the message names the stored prompts), or they are not those that
            made the store.
    """
    prompts = list(prompts)
    for prompt in store.missing(prompts):
        phrases = phrases_of(prompt)
        if len(phrases) > 1 and not store.missing(phrases):
            store.add({prompt: averaged([store.get(phrase) for phrase in phrases])})
    lacking = store.missing(prompts)
    if not lacking:
        return
    if not store:
        raise UserError("the text store is empty: build it from a text source, or load a checkpoint, first")
    made_by, known = store.provenance, store.prompts[0]
    try:
        source = _source_of(store, weights, cache_dir)
        features = source.encode([known, *lacking])
    except UserError as error:
        raise UserError(f"{store.describe_missing(lacking)} {error}") from error
    # The features of another tower have the right shape and no meaning for the trained network.
    stored, again = store.get(known), features[known]
    if stored.text.shape != again.text.shape or not _same(stored.text, again.text):
        raise UserError(
            f"the given weights ({weights or made_by.get('pretrained')}) are not those that made the stored text "
            f"features (source {made_by.get('source')}, model {made_by.get('model')}, weights "
            f"{made_by.get('weights_id')}): give the same weights, or use a stored prompt"
        )
    store.add({prompt: features[prompt] for prompt in lacking})


def _source_of(store: TextStore, weights: str | Path | None, cache_dir: str | Path | None) -> TextSource:
    name, model, pretrained = (str(store.provenance.get(key)) for key in ("source", "model", "pretrained"))
    if name != "clip":  # commands take weights for all their models, whether these are of CLIP or not
        return build_text_source(name)
    return build_text_source(name, model=model, pretrained=pretrained, weights=weights, cache_dir=cache_dir)


def _same(stored: torch.Tensor, again: torch.Tensor) -> bool:
    return torch.equal(stored, again) or bool(
        torch.nn.functional.cosine_similarity(stored, again, dim=0) > _SAME_TOWER_COSINE
    )
