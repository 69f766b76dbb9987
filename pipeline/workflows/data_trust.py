"""Can a data set be trusted? Image content in two splits, and masks that don't fit their images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pipeline.data import DatasetIndex, Sample
from pipeline.data.label_check import LabelDoubt, check_labels
from pipeline.data.label_fit import CHANGING, SHIFTED
from pipeline.data.leaks import Leak, search_leaks
from pipeline.errors import UserError
from pipeline.visual import label_picture, write_png
from pipeline.wording import some_lines

logger = logging.getLogger("vlsenet")

PICTURE = "label_check.png"

_MOST_LINES = 8
#: enough for a few hundred images; `vlsenet prepare` takes as long as it needs
_LEAK_SECONDS = 60.0


def check_trust(index: DatasetIndex, output_dir: str | Path, allow_leaks: bool = False) -> None:
    """Look for leaks and for masks that look wrong, before a training.

    Args:
        index: the data set.
        output_dir: gets ``label_check.png``, a picture of the worst mask, if there is one.
        allow_leaks: continue with a warning if two splits share content.

    Raises:
        UserError: two splits share content, or no image for training or validation has any of the phases.
    """
    _check_phases(index)
    leaks = _leaks(index.samples)
    if leaks:
        message = "\n".join(
            [
                f"{index.place}: {_many(leaks)} content between splits, so scores would be too optimistic:",
                *some_lines(leaks, _MOST_LINES),
            ]
        )
        remedy = (
            "give these images the same source, by split.csv or --group_pattern; or allow it: --allow_leaks (true, for "
            "monai.bundle)"
        )
        if not allow_leaks:
            raise UserError(f"{message}\n{remedy}")
        logger.warning("%s", message)
    report_labels(index, Path(output_dir) / PICTURE)


def report_labels(index: DatasetIndex, picture: Path) -> list[LabelDoubt]:
    """Log the masks that look shifted, stretched, inverted or made for another image.

    Args:
        index: the data set.
        picture: written if there are such masks; shows the worst.

    Returns:
        All of them, worst first.
    """
    doubts = check_labels(index.samples)
    if not doubts:
        return []
    logger.warning(
        "%d of %d masks do not seem to fit their images:\n%s",
        len({doubt.sample.name for doubt in doubts}),
        len(index.samples),
        "\n".join(some_lines(doubts, _MOST_LINES)),
    )
    worst = doubts[0]
    corners = worst.fit.corners if worst.kind in (SHIFTED, CHANGING) else None
    mask = worst.sample.read_codes([worst.phase]) == 1
    write_png(picture, label_picture(worst.sample.read_image(), mask, corners))
    logger.warning("%s shows the worst of them, %s", picture, worst.sample.label.name)
    return doubts


def _check_phases(index: DatasetIndex) -> None:
    """Refuse a split without any phase, and warn of phases that one of the splits lacks.

    Raises:
        UserError: no label for training, or none for validation, holds a phase.
    """
    for split, what in (("train", "learned"), ("val", "validated")):
        samples = index.select(split)
        absent = [p.name for p in index.phases if not any(sample.phase_pixels.get(p.name) for sample in samples)]
        if len(absent) == len(index.phases):
            values = " or ".join(dict.fromkeys(map(str, index.values)))
            raise UserError(
                f"{index.place}: no label of the split '{split}' holds {' or '.join(absent)} ({values}), so nothing "
                "can be learned or scored; check the labels' values, --pore_label or --phases, and split.csv"
            )
        if absent:
            logger.warning("no label of the split '%s' holds %s: it can't be %s", split, " or ".join(absent), what)


def warn_of_leaks(index: DatasetIndex, split: str) -> None:
    """Warn before an evaluation if the images of a split share content with the training images beside them.

    Args:
        index: the data set.
        split: what is evaluated; no warning for ``all`` and ``train``.
    """
    samples = [sample for sample in index.samples if sample.split in ("train", split)]
    if split in ("all", "train") or len({sample.split for sample in samples}) < 2:
        return
    leaks = _leaks(samples)
    if leaks:
        logger.warning(
            "scores will be too optimistic: %s content with training images:\n%s",
            _many(leaks),
            "\n".join(some_lines(leaks, _MOST_LINES)),
        )


def _leaks(samples: Sequence[Sample]) -> list[Leak]:
    search = search_leaks(samples, seconds=_LEAK_SECONDS)
    if search.share < 1:
        logger.warning(
            "the search for leaks stopped after %.0f s, with %.0f %% of the comparisons made; "
            "vlsenet prepare --check makes all of them",
            _LEAK_SECONDS,
            100 * search.share,
        )
    return search.leaks


def _many(leaks: Sequence[Leak]) -> str:
    return f"{len(leaks)} pair{'s' if len(leaks) > 1 else ''} of images share"
