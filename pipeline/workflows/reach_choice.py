"""How far a network sees beyond its window: as chosen, or as the training images ask for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pipeline.data import DatasetIndex
from pipeline.data.phase_sizes import PhaseSizes, phase_sizes
from pipeline.networks.surroundings import REACHES, reach_of, surroundings_of
from pipeline.phases import PORE
from pipeline.wording import some_of
from pipeline.workflows.checkpoints import ANEW, last_of, read_training
from pipeline.workflows.model_file import TrainedModel

logger = logging.getLogger("vlsenet")

#: what leaves the choice to the training
AUTO = "auto"
#: of a patch's side: in an object as thick, many patches show none of its borders
_LARGE = 0.5
#: times the typical thickness: half of a phase lies in thicker places
_SPANNED = 2.0


def chosen_reach(
    surroundings: str,
    data: DatasetIndex,
    patch_size: int,
    origin: TrainedModel | None = None,
    resumed: str | None = None,
) -> int | None:
    """How far the network sees beyond its window (px); None: not at all. What the training chooses is logged.

    Args:
        surroundings: `auto`, or one of `pipeline.networks.surroundings.CHOICES`.
        data: what is trained on.
        patch_size: side of a training patch (px).
        origin: the model that the training starts from, whose reach it has to have.
        resumed: the folder of a training that is resumed, whose reach it has to have.

    Raises:
        UserError: another choice, or a training that can't be resumed.
    """
    if surroundings != AUTO:
        return reach_of(surroundings)
    if resumed is not None:
        return _reach_in(Path(resumed))
    if origin is not None:
        logger.info("surroundings %s, as in %s", surroundings_of(origin.reach), origin.path)
        return origin.reach
    if [phase.name for phase in data.phases] == [PORE]:
        reach, reason = None, "the only phase is pore, which is told by its look"
    else:
        reach, reason = usual_reach(phase_sizes(data.select("train")), patch_size)
    logger.info("surroundings %s: %s; --set surroundings=... decides otherwise", surroundings_of(reach), reason)
    return reach


def usual_reach(sizes: Sequence[PhaseSizes], patch_size: int) -> tuple[int | None, str]:
    """The reach (px) that the objects of several data sets ask for, and why, in words.

    A network has one reach for all of them: the largest that one asks for.
    """
    found = [_of_one(own, patch_size) for own in sizes]
    reach, _ = max(found, key=lambda one: one[0] or 0)
    reasons = [
        f"{own.dataset}: {reason}" if len(sizes) > 1 else reason
        for own, (asked, reason) in zip(sizes, found, strict=True)
        if asked == reach
    ]
    return reach, some_of(reasons)


def _of_one(sizes: PhaseSizes, patch_size: int) -> tuple[int | None, str]:
    """What one data set asks for, and why."""
    phase, thickness = max(sizes.thickness.items(), key=lambda one: one[1])
    if thickness < _LARGE * patch_size:
        shown = f"{thickness:.0f}" if thickness else "a few"
        return (
            None,
            f"{phase}, the thickest phase, is typically {shown} px thick, and a patch of {patch_size} px shows it",
        )
    large = (
        f"{phase} is typically {thickness:.0f} px thick, and many patches of {patch_size} px show none of its borders"
    )
    fitting = [reach for reach in REACHES if reach <= sizes.side - patch_size]
    if not fitting:
        return None, f"{large}, but in images of {sizes.side:.0f} px there is too little around them"
    return next((reach for reach in fitting if reach >= _SPANNED * thickness), fitting[-1]), large


def _reach_in(folder: Path) -> int | None:
    """Of the training that a folder holds; those of earlier versions may not name it, or have none."""
    network = read_training(last_of(folder), ANEW)["recipe"].get("network")
    reach: int | None = network.get("reach") if isinstance(network, dict) else None
    return reach
