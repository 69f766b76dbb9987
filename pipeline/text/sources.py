"""Where text features come from, one interface chosen by name, and from prompts to a text store."""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cosine_similarity, normalize

from pipeline.errors import UserError
from pipeline.text.features import (
    EMPTY_PROMPT,
    PROMPTLESS_SOURCES,
    SEPARATOR,
    Provenance,
    TextFeatures,
    TextStore,
    clean_prompt,
    normal_form,
)
from pipeline.wording import check_name

logger = logging.getLogger("vlsenet")

#: The names that `--text_source` takes.
TEXT_SOURCES = ("clip", "learned", "none", "random", "untrained")
#: What `clip` reads by default.
DEFAULT_MODEL, DEFAULT_PRETRAINED = "RN50", "openai"
#: Width D and number of tokens L of the sources without a language model.
PLAIN_DIM = 256
PLAIN_LENGTH = 8
#: Features of one tower agree to about 1e-6 between machines; those of another tower have a cosine far below this.
_SAME_TOWER_COSINE = 0.999


def phrases_of(prompt: str) -> tuple[str, ...]:
    """The phrases of a prompt: one, unless `|` divides it.

    A phrase counts as often as it occurs. Nothing between two bars is no phrase, while an empty prompt is one.

    Raises:
        UserError: bars, and no phrase between them.
    """
    if SEPARATOR not in prompt:
        return (prompt,)
    phrases = tuple(phrase for phrase in map(clean_prompt, prompt.split(SEPARATOR)) if phrase)
    if not phrases:
        raise UserError(f"the prompt {prompt!r} holds no phrase: write it as in 'pore | rock pore'")
    return phrases


def averaged(features: Sequence[TextFeatures]) -> TextFeatures:
    """The mean of several phrases' features, L2-normalised as those of one phrase are.

    The global feature's normalised mean is CLIP's own prompt ensembling (Radford et al., ICML 2021, section 3.1.4).
    Tokens are averaged place by place, so that ensembles and single phrases have the same size and stack in a batch.

    Args:
        features: text (D,) and tokens (L, D) of each phrase; not empty.

    Returns:
        Text (D,) and tokens (L, D). A single phrase comes back as it is.
    """
    if len(features) == 1:
        return features[0]
    text = torch.stack([item.text for item in features]).mean(dim=0)
    tokens = torch.stack([item.tokens for item in features]).mean(dim=0)
    return TextFeatures(normalize(text, dim=-1), normalize(tokens, dim=-1))


class TextSource(ABC):
    """Turns prompts into text features."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Width D of the features."""

    def encode(self, prompts: Sequence[str]) -> dict[str, TextFeatures]:
        """Encode the prompts; each distinct phrase in them is encoded once, and an ensemble gets its phrases' mean.

        Returns:
            Prompt to its features: text (D,), tokens (L, D). A prompt's features do not depend on the other prompts.

        Raises:
            UserError: the weights are out of reach or don't fit, or an ensemble holds no phrase.
        """
        phrases = {prompt: phrases_of(prompt) for prompt in prompts}
        distinct = dict.fromkeys(phrase for together in phrases.values() for phrase in together)
        features = self.encode_phrases(list(distinct))
        return {prompt: averaged([features[phrase] for phrase in together]) for prompt, together in phrases.items()}

    @abstractmethod
    def encode_phrases(self, phrases: Sequence[str]) -> dict[str, TextFeatures]:
        """Encode single phrases, all distinct: phrase to its features."""

    @abstractmethod
    def describe(self) -> Provenance:
        """Source name, model, weights and sizes, as primitives, for logs, run parameters and checkpoints."""


class PlainSource(TextSource):
    """Features without a language model: the sources `none`, `learned` and `random`.

    Those of `none` are zeros, which carry no information. `learned` looks the same from here: the network adds
    learnable vectors of its own to the zeros (as context vectors in CoOp, Zhou et al., IJCV 2022). `random` is the
    control that carries identity but no meaning: unit vectors, the same for a prompt each time.
    """

    dim = PLAIN_DIM

    def __init__(self, name: str) -> None:
        self._name = name

    def encode_phrases(self, phrases: Sequence[str]) -> dict[str, TextFeatures]:
        if self._name == "random":
            return {phrase: random_features(phrase, PLAIN_LENGTH, PLAIN_DIM) for phrase in phrases}
        return {p: TextFeatures(torch.zeros(PLAIN_DIM), torch.zeros(PLAIN_LENGTH, PLAIN_DIM)) for p in phrases}

    def describe(self) -> Provenance:
        nothing = dict.fromkeys(("model", "pretrained", "weights_id"))
        return {"source": self._name, **nothing, "trained": False, "dim": PLAIN_DIM, "length": PLAIN_LENGTH}


class PhaseSource(TextSource):
    """The source `learned` with several phases: for each phase's prompt the one-hot of its number.

    By it the network looks its learned vectors up. An empty prompt names no phase, and has zeros.

    Args:
        prompts: of the phases, in their order.
    """

    dim = PLAIN_DIM

    def __init__(self, prompts: Sequence[str]) -> None:
        self._prompts = [normal_form(prompt) for prompt in prompts]

    def encode(self, prompts: Sequence[str]) -> dict[str, TextFeatures]:
        return self.encode_phrases(prompts)  # an ensemble is one phase's prompt, and has no parts

    def encode_phrases(self, phrases: Sequence[str]) -> dict[str, TextFeatures]:
        unknown = [phrase for phrase in phrases if phrase != EMPTY_PROMPT and normal_form(phrase) not in self._prompts]
        if unknown:
            raise UserError(
                f"the text source learned has vectors for {', '.join(map(repr, self._prompts))}, and none for "
                f"{unknown[0]!r}: ask for one of these, or train with --text_source clip, which takes any text"
            )
        one_hot = {phrase: torch.zeros(PLAIN_DIM) for phrase in phrases}
        for phrase in filter(None, phrases):
            one_hot[phrase][self._prompts.index(normal_form(phrase))] = 1
        return {phrase: TextFeatures(text, text[None]) for phrase, text in one_hot.items()}

    def describe(self) -> Provenance:
        return {**PlainSource("learned").describe(), "length": 1, "phases": len(self._prompts)}


def random_features(key: str, length: int, dim: int) -> TextFeatures:
    """Random unit vectors, text (D,) and tokens (L, D), the same for a key each time and on each machine."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    # NumPy's generator rather than torch's: its stream is the same on each platform
    vectors = np.random.default_rng(seed).standard_normal((1 + length, dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = torch.from_numpy(vectors.astype(np.float32))
    return TextFeatures(unit[0], unit[1:])


def build_text_source(
    name: str,
    *,
    phases: Sequence[str] = (),
    model: str = DEFAULT_MODEL,
    pretrained: str = DEFAULT_PRETRAINED,
    weights: str | Path | None = None,
    cache_dir: str | Path | None = None,
) -> TextSource:
    """Choose a text source by name.

    Args:
        name: `clip` (open_clip's text tower), `learned`, `none`, `random`, or `untrained` (a small text transformer
            with random weights, for tests). Nothing falls back to another source.
        phases: prompts of the phases that a network is trained for, in their order. Only `learned` asks for them: with
            several its features are the numbers of the phases.
        model: open_clip's name of the architecture, for `clip`.
        pretrained: open_clip's tag of the weights, for `clip`. With `weights` given it says how these were trained,
            which decides on quick-GELU (`openai` weights need it).
        weights: local file or folder to read the weights from instead of the hub, for `clip`.
        cache_dir: folder of the on-disk feature cache, for `clip`; by default `~/.cache/vlsenet/text`.

    The log warns of what is given for `clip` and has no effect on another source.

    Raises:
        UserError: unknown name, or `weights` does not exist.
    """
    check_name("text_source", name, TEXT_SOURCES)
    if name != "clip":
        _warn_of_no_effect(name, "text_weights", weights, None)
        _warn_of_no_effect(name, "text_model", model, DEFAULT_MODEL)
        _warn_of_no_effect(name, "text_pretrained", pretrained, DEFAULT_PRETRAINED)
    if name == "learned" and len(phases) > 1:
        return PhaseSource(phases)
    if name in (*PROMPTLESS_SOURCES, "random"):
        return PlainSource(name)
    # late: they lead to open_clip, which takes seconds to import
    from pipeline.text.clip_source import ClipSource, UntrainedSource

    return UntrainedSource() if name == "untrained" else ClipSource(model, pretrained, weights, cache_dir)


def _warn_of_no_effect(name: str, option: str, value: str | Path | None, default: str | None) -> None:
    if value and value != default:
        logger.warning(
            "%s %s has no effect: only text_source clip reads it, and this is text_source %s", option, value, name
        )


def build_text_store(source: TextSource, prompts: Iterable[str]) -> TextStore:
    """Encode each distinct prompt once.

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
        features = _source_of(store, weights, cache_dir).encode([known, *lacking])
    except UserError as error:
        raise UserError(f"{store.describe_missing(lacking)} {error}") from error
    # The features of another tower have the right shape and no meaning for the trained network.
    if not _same(store.get(known).text, features[known].text):
        raise UserError(
            f"the given weights ({weights or made_by.get('pretrained')}) are not those that made the stored text "
            f"features (source {made_by.get('source')}, model {made_by.get('model')}, weights "
            f"{made_by.get('weights_id')}): give the same weights, or use a stored prompt"
        )
    store.add({prompt: features[prompt] for prompt in lacking})


def _source_of(store: TextStore, weights: str | Path | None, cache_dir: str | Path | None) -> TextSource:
    name, model, pretrained = (str(store.provenance.get(key)) for key in ("source", "model", "pretrained"))
    if name != "clip":  # commands take weights for all their models, whether these are of CLIP or not
        return build_text_source(name, phases=_phase_prompts(store))
    return build_text_source(name, model=model, pretrained=pretrained, weights=weights, cache_dir=cache_dir)


def _phase_prompts(store: TextStore) -> list[str]:
    """Prompts whose features are the number of a phase, in the phases' order."""
    if "phases" not in store.provenance:
        return []
    named = [prompt for prompt in store.prompts if store.get(prompt).text.any()]
    return sorted(named, key=lambda prompt: int(store.get(prompt).text.argmax()))


def _same(stored: torch.Tensor, again: torch.Tensor) -> bool:
    if stored.shape != again.shape:
        return False
    return torch.equal(stored, again) or bool(cosine_similarity(stored, again, dim=0) > _SAME_TOWER_COSINE)
