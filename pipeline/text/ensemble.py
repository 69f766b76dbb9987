"""Prompt ensembles: several phrases for the same thing, whose features are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import normalize

from pipeline.errors import UserError
from pipeline.text.features import TextFeatures
from pipeline.text.prompts import SEPARATOR, clean_prompt


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
