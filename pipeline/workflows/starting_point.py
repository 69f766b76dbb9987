"""What a training starts from: the weights of an earlier one, and what it may not change on a resume."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from pipeline.data import DatasetIndex
from pipeline.errors import UserError
from pipeline.networks import Switches
from pipeline.networks.factory import preset_features, rows_of_phases
from pipeline.networks.surroundings import surroundings_of
from pipeline.text import TextStore
from pipeline.wording import some_of
from pipeline.workflows.bundle_workflow import running_config
from pipeline.workflows.model_file import TrainedModel

logger = logging.getLogger("vlsenet")

#: entries of train.yaml that decide on the result and have no option of their own in `recipe`
_PARTS = ("loss", "optimizer", "lr_scheduler", "train::augmentation", "train::handlers::0")
_JOINT = "::"

#: what a text store's features come from
_TEXT_KEYS = ("source", "model", "weights_id")


def training_parts(config: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The values of these entries, by their names as an override has them, such as `loss::bce_weight`.

    Args:
        config: of the training; None: that of the running bundle command, not evaluated.
    """
    config = running_config() if config is None else config
    return {name: str(value) for part in _PARTS for name, value in _values(part, _entry(config, part))}


def _entry(config: Any, name: str) -> Any:
    for key in name.split(_JOINT):
        config = config[int(key)] if isinstance(config, list) else config[key]
    return config


def _values(name: str, node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, list):
        node = dict(enumerate(node))
    if not isinstance(node, Mapping):
        yield name, node
        return
    for key, child in node.items():
        yield from _values(f"{name}{_JOINT}{key}", child)


def start_weights(
    network: nn.Module,
    settings: Mapping[str, Any],
    text: TextStore,
    origin: TrainedModel | None,
    phases: Sequence[str],
) -> nn.Module:
    """Give a network the weights that it starts from.

    What a network has for each phase it takes from the model's phase of that name. A phase that the model does not know
    starts from random weights; one that is alone, from those of the model's only phase, whatever it is.

    Args:
        network: as built, with random weights; changed in place.
        settings: the arguments of `build_network` that made it.
        text: the features of the text prior that it will be trained with.
        origin: the model to start from; None leaves the random weights.
        phases: names of those that are to be learned.

    Returns:
        The network.

    Raises:
        UserError: the model has another network or text prior, whose options the message names, or a VLSE-Net is of one
            phase, and of several here, or the other way round.
    """
    if origin is None:
        return network
    known = [phase.name for phase in origin.phases]
    alone = [len(names) == 1 for names in (phases, known)]
    if settings["network"] == origin.network_settings["network"] == "vlsenet" and alone[0] != alone[1]:
        # the parts that tell phases apart are missing in one of them
        raise UserError(
            f"--start_from {origin.path}: it knows {len(known)} phase(s) ({', '.join(known)}), and {len(phases)} are "
            "to be learned; a VLSE-Net of one phase lacks parts of one of several: leave --start_from out, or name "
            f"{'several' if alone[0] else 'one'} by --phases"
        )
    now, then = _options(settings, text), _options(origin.network_settings, origin.text)
    needed = [f"--{name} {value}" for name, value in then.items() if now.get(name) != value]
    if settings.get("in_channels", 1) != origin.network_settings.get("in_channels", 1):
        needed.append(f"--set flatten_shading={str(origin.shading).lower()}")
    if needed:
        raise UserError(f"--start_from {origin.path}: it was trained with other options; give {' '.join(needed)}")
    if now.get("text_source") == "clip":
        differing = [key for key in _TEXT_KEYS if text.provenance.get(key) != origin.text.provenance.get(key)]
        if differing:
            made_by = ", ".join(f"{key} {origin.text.provenance.get(key)}" for key in _TEXT_KEYS)
            raise UserError(
                f"--start_from {origin.path}: its text features come from other weights ({made_by}); "
                "give the same --text_weights"
            )
    network.load_state_dict(_of_phases(network, origin.network, phases, phases if all(alone) else known))
    new = [] if all(alone) else [name for name in phases if name not in known]
    kept = f"; phases that it does not know start from random ones: {', '.join(new)}" if new else ""
    logger.info("starting from the weights of %s%s", origin.path, kept)
    return network


def _of_phases(
    network: nn.Module, origin: nn.Module, phases: Sequence[str], known: Sequence[str]
) -> dict[str, torch.Tensor]:
    """The weights of a network of other phases, or of another order of them, for this one.

    Args:
        network: that is to have them.
        origin: that has them.
        phases: names of those of the first.
        known: of the second.
    """
    state, own = dict(origin.state_dict()), network.state_dict()
    for name in set(rows_of_phases(network)) & set(state):
        state[name] = torch.stack(
            [state[name][known.index(phase)] if phase in known else own[name][k] for k, phase in enumerate(phases)]
        )
    return state


def warn_of_known_images(index: DatasetIndex, origin: TrainedModel | None) -> None:
    """Warn of images for validation or test that the model to start from was trained on."""
    trained_on = set() if origin is None else set(origin.data["train_images"])
    known = [sample.name for sample in index.samples if sample.split != "train" and sample.image_sha256 in trained_on]
    if origin is not None and known:
        logger.warning(
            "%d validation or test image(s) were in the training data of %s, so scores on them will be too optimistic: "
            "%s",
            len(known),
            origin.path,
            some_of(known),
        )


def _options(settings: Mapping[str, Any], text: TextStore) -> dict[str, str]:
    """The options of a training that decide on the shapes and the meaning of its weights, as they are typed."""
    widths = settings.get("features") or preset_features(settings.get("preset", "small"))
    options = {
        "network": settings["network"],
        "features": f'"[{",".join(map(str, widths))}]"',
        "norm": settings.get("norm", "batch"),
        "surroundings": surroundings_of(settings.get("reach")),
    }
    if settings["network"] == "unet":
        return options
    switches = Switches.from_mapping(settings.get("switches") or {})
    options |= {f"switches::{name}": str(getattr(switches, name)).lower() for name in Switches.names()}
    return {**options, "text_source": str(text.provenance["source"])}
