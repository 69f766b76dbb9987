"""What an audit asks a model of several phases with: each phase by its own phrase, by another's, and by none."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.errors import UserError
from pipeline.networks import VLSENet
from pipeline.text import EMPTY_PROMPT, random_features
from pipeline.text.features import TextFeatures
from pipeline.workflows.audited_text import Condition, Item, other_prompts, take_out_learned_prior
from pipeline.workflows.model_file import TrainedModel

#: the condition in which each phase is asked for with another's phrase
EXCHANGED = "exchanged"


def phase_conditions(model: TrainedModel, network: VLSENet, items: Sequence[Item], seed: int) -> tuple[Condition, ...]:
    """The conditions for K > 1 phases: own and exchanged phrases, an empty one, random features and zeros.

    All give features (K, D) and (K, L, D), in the order of the model's phases. Nothing but the text changes: what is
    asked in a phase's place is scored with that phase's threshold and labels.

    Args:
        model: what is audited.
        network: the model's; learned vectors are removed from it, and given to it as features instead, so that they
            can be exchanged and replaced as other text is.
        items: the images, with name and ``values`` (the `LabelValues` of their data set).
        seed: of the exchange and the random features.

    Raises:
        UserError: all phases have the same text, so that there is nothing to exchange.
    """
    if not model.text.reads_prompts:
        source = model.text.provenance["source"]
        raise UserError(
            f"{model.path}: with text_source {source} all phases have the same text, so there is nothing to audit; "
            "give a checkpoint that was trained with --text_source learned, clip or random"
        )
    names = [phase.name for phase in model.phases]
    given = model.text.together([*(phase.prompt for phase in model.phases), EMPTY_PROMPT])
    read = take_out_learned_prior(network, given)
    own = TextFeatures(read.text[:-1], read.tokens[:-1])
    empty = TextFeatures(*(tensor[-1:].expand_as(phases) for tensor, phases in zip(read, own, strict=True)))
    zeros = TextFeatures(*map(torch.zeros_like, own))
    length, dim = own.tokens.shape[1:]

    def exchanged(item: Item) -> TextFeatures:
        other = phrase_exchange(names, item["values"].names, seed)
        order = [names.index(other[name]) for name in names]
        return TextFeatures(own.text[order], own.tokens[order])

    def random(item: Item) -> TextFeatures:
        each = [random_features(f"{seed} {item['name']} {name}", length, dim) for name in names]
        return TextFeatures(*map(torch.stack, zip(*each, strict=True)))

    return (
        Condition("own", lambda item: own),
        Condition(EXCHANGED, exchanged, _exchange_in_words(names, items, seed)),
        Condition("empty", lambda item: empty, f"{EMPTY_PROMPT!r} for all phases"),
        Condition("random", random, "random unit vectors, different for each image and phase"),
        Condition("zeros", lambda item: zeros),
    )


def phrase_exchange(names: Sequence[str], named: Sequence[str], seed: int) -> dict[str, str]:
    """Whose phrase each of the model's phases is asked for with.

    Those that an image's data set names swap among themselves, so that each phrase is one that this data set knows.
    Where it names one only, all of the model's do: there is no other way to ask for it wrongly.

    Args:
        names: of the model's phases.
        named: of those that the image's data set has labels for.
        seed: of the exchange.

    Returns:
        For each phase the one whose phrase it gets; for those that swap another one, for the rest their own.
    """
    among = [name for name in names if name in named]
    other = other_prompts(among if len(among) > 1 else names, seed)
    return {name: other.get(name, name) for name in names}


def _exchange_in_words(names: Sequence[str], items: Sequence[Item], seed: int) -> str:
    """Which phrases stand for which, where all images have the same phases."""
    exchanges = {tuple(phrase_exchange(names, item["values"].names, seed).items()) for item in items}
    if len(exchanges) > 1:
        return "the phrase of another phase of the same data set, or of any where that has one phase only"
    return ", ".join(f"{name} asked as {other}" for name, other in next(iter(exchanges), ()))
