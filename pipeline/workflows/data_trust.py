"""Can a data set be trusted? Content in two splits, and masks that don't lie on their images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pipeline.data import DatasetIndex, Sample
from pipeline.data.label_check import CHANGING, SHIFTED, LabelDoubt, check_labels
from pipeline.data.leaks import Leak, search_leaks
from pipeline.errors import UserError
from pipeline.visual import label_picture, write_png
from pipeline.wording import some_lines

logger = logging.getLogger("vlsenet")

PICTURE = "label_check.png"

_MOST_LINES = 8
#: enough for some hundred images; what takes longer is for `vlsenet prepare`
_LEAK_SECONDS = 60.0


def check_trust(index: DatasetIndex, output_dir: str | Path, allow_leaks: bool = False) -> None:
    """Look for leaks and for masks that look wrong, before a training.

    Args:
        index: the data set.
        output_dir: gets ``label_check.png``, a picture of the worst mask, where there is one.
        allow_leaks: go on with a warning where two splits share content.

    Raises:
        UserError: two splits share content.
    """
    leaks = _leaks(index.samples)
    if leaks:
        told = "\n".join(
            [
                f"{index.root}: {_many(leaks)} content between splits, so that scores would be too good:",
                *some_lines(leaks, _MOST_LINES),
            ]
        )
        remedy = "give such images the same source, by split.csv or --group_pattern; or go on by --allow_leaks"
        if not allow_leaks:
            raise UserError(f"{told}\n{remedy}")
        logger.warning("%s", told)
    report_labels(index, Path(output_dir) / PICTURE)


def report_labels(index: DatasetIndex, picture: Path) -> list[LabelDoubt]:
    """Log the masks that look shifted, stretched, inverted or made for another image.

    Args:
        index: the data set.
        picture: is written where there are such masks, and shows the worst.

    Returns:
        All of them, the worst first.
    """
    doubts = [] if index.pore_label is None else check_labels(index.samples, index.pore_label)
    if not doubts:
        return []
    logger.warning(
        "%d of %d masks don't look right on their images:\n%s",
        len(doubts),
        len(index.samples),
        "\n".join(some_lines(doubts, _MOST_LINES)),
    )
    worst = doubts[0]
    image, label = worst.sample.read_image(), worst.sample.read_label()
    corners = worst.fit.corners if worst.kind in (SHIFTED, CHANGING) else None
    write_png(picture, label_picture(image, label == index.pore_label, corners))
    logger.warning("the worst of them, %s, is in %s", worst.sample.label.name, picture)
    return doubts


def warn_of_leaks(index: DatasetIndex, split: str) -> None:
    """Warn before an evaluation where the images of a split share content with the training images beside them.

    Args:
        index: the data set.
        split: what is evaluated; ``all`` and ``train`` are not warned of.
    """
    samples = [sample for sample in index.samples if sample.split in ("train", split)]
    if split in ("all", "train") or len({sample.split for sample in samples}) < 2:
        return
    leaks = _leaks(samples)
    if leaks:
        logger.warning(
            "scores are too good, as %s content with training images:\n%s",
            _many(leaks),
            "\n".join(some_lines(leaks, _MOST_LINES)),
        )


def _leaks(samples: Sequence[Sample]) -> list[Leak]:
    search = search_leaks(samples, seconds=_LEAK_SECONDS)
    if search.share < 1:
        logger.warning(
            "images of different splits were compared for %.0f s, which did for %.0f %% of the comparisons; "
            "vlsenet prepare --check makes all",
            _LEAK_SECONDS,
            100 * search.share,
        )
    return search.leaks


def _many(leaks: Sequence[Leak]) -> str:
    return f"{len(leaks)} pair{'s' if len(leaks) > 1 else ''} of images share"
