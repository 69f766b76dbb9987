"""Prompts, their features as tensors, and the store that carries these to network, checkpoint and bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.wording import some_of

#: Stands between the phrases of an ensemble: `pore | rock pore | microscopic pore`.
SEPARATOR = "|"

#: What is said of an image that has no text of its own (one of the published generic prompts).
DEFAULT_PROMPT = "pore"

#: Says nothing: how much a model needs its text is seen by taking it away.
EMPTY_PROMPT = ""

#: How a user gets text features, for the end of an error message.
HOW_TO_ENCODE = (
    "(1) run once where the model hub can be reached, or copy its cache from such a machine "
    "(HF_HOME, by default ~/.cache/huggingface); "
    "(2) give a local file or folder with the weights: --text_weights PATH; "
    "(3) train with another prior: --text_source learned, none or random (untrained for tests)"
)
#: Layout of a stored text store; raised when it changes.
_VERSION = 1
#: Sources whose features are the same for every prompt; those of `learned` for every prompt of a phase.
PROMPTLESS_SOURCES = ("learned", "none")
_SHOWN_PROMPTS = 8
_SHOWN_LENGTH = 60


def clean_prompt(text: str) -> str:
    """Bring a prompt into one line: runs of white space, line ends and control characters become one space."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())


def normal_form(prompt: str) -> str:
    """The form under which a prompt is stored: an ensemble's phrases, however they are spaced, with ` | ` between."""
    if SEPARATOR not in prompt:
        return prompt
    phrases = filter(None, map(clean_prompt, prompt.split(SEPARATOR)))
    return f" {SEPARATOR} ".join(phrases) or prompt


#: what identifies how features were made, as primitives: source, model, weights, sizes
Provenance = Mapping[str, str | int | bool | None]


class TextFeatures(NamedTuple):
    """The text features of one image, or of the K phases that it is asked for.

    Attributes:
        text: global feature of the prompt, (D,), float32, L2-normalised (or zero); of several prompts (K, D).
        tokens: one feature for each token of the prompt, (L, D), float32, each L2-normalised (or zero); of several
            prompts (K, L, D).
    """

    text: Tensor
    tokens: Tensor

    @property
    def phases(self) -> int:
        """K, 1 for a single prompt."""
        return 1 if self.text.ndim == 1 else self.text.shape[0]


class TextStore:
    """Features of the prompts in use, and where they came from.

    It is the only form in which text reaches a training step or an inference: a prompt that is stored needs neither
    CLIP nor a network connection. Spaces around an ensemble's bars don't count. MONAI's checkpoint handlers can save
    and load it as it is.

    Args:
        features: prompt to features, all of the same L and D. Empty for a store that is to be loaded into.
        provenance: as `TextSource.describe` gives it.

    Raises:
        UserError: features of different sizes.
    """

    def __init__(
        self, features: Mapping[str, TextFeatures] | None = None, provenance: Provenance | None = None
    ) -> None:
        self._features: dict[str, TextFeatures] = {}
        self.provenance: dict[str, str | int | bool | None] = dict(provenance or {})
        self.add(features or {})

    def __len__(self) -> int:
        return len(self._features)

    @property
    def prompts(self) -> tuple[str, ...]:
        """The stored prompts, in the order in which they came."""
        return tuple(self._features)

    @property
    def dim(self) -> int:
        """Width D of the features.

        Raises:
            UserError: the store is empty.
        """
        if not self._features:
            raise UserError("the text store is empty: encode the prompts or load a checkpoint first")
        return next(iter(self._features.values())).text.shape[0]

    @property
    def reads_prompts(self) -> bool:
        """Whether a prompt has features of its own, rather than those of every other."""
        return "phases" in self.provenance or self.provenance.get("source") not in PROMPTLESS_SOURCES

    def missing(self, prompts: Iterable[str]) -> list[str]:
        """Those of the prompts that are not stored, each once, in order."""
        return [prompt for prompt in dict.fromkeys(map(normal_form, prompts)) if prompt not in self._features]

    def add(self, features: Mapping[str, TextFeatures]) -> None:
        """Store more prompts.

        Raises:
            UserError: the features do not have the (D,) and (L, D) of those already there.
        """
        together = {**self._features, **{normal_form(prompt): item for prompt, item in features.items()}}
        shapes = {(tuple(item.text.shape), tuple(item.tokens.shape)) for item in together.values()}
        if len(shapes) > 1 or any(len(text) != 1 or len(tokens) != 2 or text != tokens[1:] for text, tokens in shapes):
            raise UserError(f"text features of different sizes cannot be stored together: {sorted(shapes)}")
        self._features = {
            prompt: TextFeatures(*(tensor.detach().to("cpu", torch.float32).contiguous() for tensor in item))
            for prompt, item in together.items()
        }

    def get(self, prompt: str) -> TextFeatures:
        """The features of a stored prompt.

        Raises:
            UserError: the prompt is not stored; the message names those that are.
        """
        try:
            return self._features[normal_form(prompt)]
        except KeyError:
            raise UserError(
                f"{self.describe_missing([prompt])} Use one of these, or encode it: {HOW_TO_ENCODE}"
            ) from None

    def together(self, prompts: str | Sequence[str]) -> TextFeatures:
        """The features of one prompt, (D,) and (L, D), or of K prompts, (K, D) and (K, L, D).

        Raises:
            UserError: as `get`.
        """
        if isinstance(prompts, str):
            return self.get(prompts)
        each = [self.get(prompt) for prompt in prompts]
        return TextFeatures(*(torch.stack(tensors) for tensors in zip(*each, strict=True)))

    def describe_missing(self, prompts: Iterable[str]) -> str:
        """One sentence on prompts that are not stored and those that are, for error messages."""
        return (
            f"No text features are stored for {_quote(self.missing(prompts))}; "
            f"stored are {_quote(self.prompts) if self else 'none'}."
        )

    def state_dict(self) -> dict[str, Any]:
        """Tensors and primitives only, so that `torch.load(weights_only=True)` reads it.

        Returns:
            `prompts` (P strings), `text` (P, D), `tokens` (P, L, D), `provenance`, `version`.
        """
        items = list(self._features.values())
        return {
            "version": _VERSION,
            "provenance": dict(self.provenance),
            "prompts": list(self._features),
            "text": torch.stack([item.text for item in items]) if items else torch.zeros(0, 0),
            "tokens": torch.stack([item.tokens for item in items]) if items else torch.zeros(0, 0, 0),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the content by what `state_dict` returned.

        Raises:
            UserError: not a text store, or of a later version.
        """
        missing = {"version", "provenance", "prompts", "text", "tokens"} - set(state)
        if missing:
            raise UserError(f"this is not a text store: it lacks {', '.join(sorted(missing))}")
        if state["version"] != _VERSION:
            raise UserError(
                f"text store of version {state['version']}, but this program reads version {_VERSION}: "
                "use the vlsenet version that wrote it"
            )
        prompts, text, tokens = list(state["prompts"]), state["text"], state["tokens"]
        if not len(prompts) == len(text) == len(tokens):
            raise UserError(f"damaged text store: {len(prompts)} prompts, {len(text)} and {len(tokens)} features")
        # clones, so that one prompt does not keep the storage of all of them alive
        features = {p: TextFeatures(a.clone(), b.clone()) for p, a, b in zip(prompts, text, tokens, strict=True)}
        self._features = {}
        self.provenance = dict(state["provenance"])
        self.add(features)


def _quote(prompts: Iterable[str]) -> str:
    short = [p if len(p) <= _SHOWN_LENGTH else f"{p[: _SHOWN_LENGTH - 1]}…" for p in prompts]
    return some_of(list(map(repr, short)), _SHOWN_PROMPTS)
