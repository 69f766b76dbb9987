"""What a prompt audit gives a model instead of its own prompts; of several phases see `audit_phases`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch

from pipeline.errors import UserError
from pipeline.networks import VLSENet
from pipeline.text import DEFAULT_PROMPT, EMPTY_PROMPT, random_features
from pipeline.text.features import TextFeatures
from pipeline.workflows.audit_phases import phase_conditions
from pipeline.workflows.audited_text import Condition, Item, other_prompts, take_out_learned_prior
from pipeline.workflows.model_file import TrainedModel

logger = logging.getLogger("vlsenet")


def text_conditions(
    model: TrainedModel, items: Sequence[Item], seed: int = 0, weights: str | None = None
) -> tuple[Condition, ...]:
    """The conditions of an audit: own, shuffled, generic and empty prompts, random features and zeros.

    A model of several phases is asked for each with the phrase of another (`phase_conditions`) instead of shuffled and
    generic prompts.

    A model with a learned prior reads no prompt: its prior, removed from the network, is then its own condition, and
    random features and zeros replace it.

    Args:
        model: what is audited; a learned prior is removed from its network.
        items: the images, with name and prompt.
        seed: of the shuffling and the random features.
        weights: local weights of the text tower, for prompts that the checkpoint does not hold.

    Returns:
        The conditions, ``own`` first. Those that can't be run, or would repeat ``own``, say why.

    Raises:
        UserError: the network reads no text, or a prompt is new and the tower's weights can't be reached.
    """
    network = _reading_network(model)
    source = model.text.provenance["source"]
    if len(model.phases) > 1:
        return phase_conditions(model, network, items, seed)
    if model.text.reads_prompts:
        own, conditions = _with_prompts(model, items, seed, weights)
    else:
        own, conditions = _without_prompts(model, network, str(source))
    length, dim = own.tokens.shape
    zeros = TextFeatures(torch.zeros(dim), torch.zeros(length, dim))

    def random(item: Item) -> TextFeatures:
        return random_features(f"{seed} {item['name']}", length, dim)

    conditions.append(Condition("random", random, "random unit vectors, different for each image"))
    if source == "none":
        conditions.append(Condition("zeros", None, "not run: zeros are the model's own features"))
    else:
        conditions.append(Condition("zeros", lambda item: zeros))
    return tuple(conditions)


def audit_items(items: Sequence[Item], conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Each image under each condition that is run; an image's conditions follow each other."""
    run = [condition.name for condition in conditions if condition.features is not None]
    return [{**item, "condition": name} for item in items for name in run]


class ConditionFeatures:
    """Adds ``text`` (D,) and ``tokens`` (L, D) of an item's condition, for MONAI's ``Compose``.

    Args:
        conditions: those that may come.
    """

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._features = {condition.name: condition.features for condition in conditions}

    def __call__(self, item: Item) -> dict[str, Any]:
        features = self._features[item["condition"]]
        if features is None:
            raise ValueError(f"condition {item['condition']} is not run")
        text, tokens = features(item)
        return {**item, "text": text, "tokens": tokens}


def _reading_network(model: TrainedModel) -> VLSENet:
    network = model.network
    if isinstance(network, VLSENet) and network.switches.read_text:
        return network
    raise UserError(
        f"{model.path}: this {model.network_settings['network']} reads no text, so there is nothing to audit; "
        "give a checkpoint of a vlsenet with the parts of LSCM that read text"
    )


def _with_prompts(
    model: TrainedModel, items: Sequence[Item], seed: int, weights: str | None
) -> tuple[TextFeatures, list[Condition]]:
    prompts = sorted({item["prompt"] for item in items})
    store = model.learn_prompts(prompts, weights)
    conditions = [Condition("own", lambda item: store.get(item["prompt"]))]
    if len(prompts) > 1:
        other = other_prompts(prompts, seed)
        conditions.append(Condition("shuffled", lambda item: store.get(other[item["prompt"]])))
    else:
        conditions.append(Condition("shuffled", None, f"not run: all images have the prompt {prompts[0]!r}"))
    for name, prompt in (("generic", DEFAULT_PROMPT), ("empty", EMPTY_PROMPT)):
        conditions.append(_one_prompt(name, prompt, prompts, model, weights))
    return store.get(prompts[0]), conditions


def _one_prompt(name: str, prompt: str, own: Sequence[str], model: TrainedModel, weights: str | None) -> Condition:
    if list(own) == [prompt]:
        return Condition(name, None, f"not run: {prompt!r} is the prompt of all images")
    try:
        features = model.learn_prompts([prompt], weights).get(prompt)
    except UserError as error:
        logger.warning("condition %s is not run: %s", name, error)
        note = f"not run: the checkpoint holds no {prompt!r}, and its text tower is not available"
        return Condition(name, None, note)
    return Condition(name, lambda item: features, f"{prompt!r} for all images")


def _without_prompts(model: TrainedModel, network: VLSENet, source: str) -> tuple[TextFeatures, list[Condition]]:
    prior = "its text prior is learned and part of the weights" if source == "learned" else "its text prior is zeros"
    logger.warning(
        "this model reads no prompt (text_source %s): %s. The audit shows the effect of replacing it; to measure what "
        "a text prior is worth, train with another --text_source and compare",
        source,
        prior,
    )
    stored = model.text.get(model.text.prompts[0])
    own = stored if source == "none" else take_out_learned_prior(network, stored)
    note = f"not run: this model reads no prompt (text_source {source})"
    prompted = [Condition(name, None, note) for name in ("shuffled", "generic", "empty")]
    return own, [Condition("own", lambda item: own, prior), *prompted]
