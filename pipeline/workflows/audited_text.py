"""One condition of a prompt audit: which text features an image is asked with, and how they are had."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipeline.networks import VLSENet
from pipeline.text.features import TextFeatures

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Condition:
    """One choice of text features for each image.

    Attributes:
        name: short, as in the files.
        features: text features of an item; None if the condition is not run.
        note: why it is not run, or a remark.
    """

    name: str
    features: Callable[[Item], TextFeatures] | None
    note: str = ""


def other_prompts(prompts: Sequence[str], seed: int) -> dict[str, str]:
    """Each prompt's successor on a random round through all of them: none keeps its own."""
    order = [prompts[i] for i in np.random.default_rng(seed).permutation(len(prompts))]
    return dict(zip(order, order[1:] + order[:1], strict=True))


@torch.no_grad()
def take_out_learned_prior(network: VLSENet, given: TextFeatures) -> TextFeatures:
    """The features that the network makes of its learned vectors; from now on it reads what it is given instead.

    Args:
        network: is changed: its learned prior is removed.
        given: what it is asked with, (D,) and (L, D), or of K phases (K, D) and (K, L, D).
    """
    learned = network.learned_text
    if learned is None:
        return given
    device = learned.context.device
    text = learned.text(given.text[None].to(device), 1)[0]
    tokens = learned.tokens(given.tokens[None].to(device), 1)[0]
    network.learned_text = None
    return TextFeatures(text.cpu(), tokens.cpu())
