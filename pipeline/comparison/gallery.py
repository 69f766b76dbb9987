"""The images with the largest wins and losses, side by side with the truth."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipeline.comparison.differences import Comparison
from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.errors import UserError
from pipeline.tracking.stores import EVALUATION_FOLDER
from pipeline.visual.figure import data_uri

_EACH = 2  # wins, and losses
_LONGEST = 420  # px of a picture


@dataclass(frozen=True)
class Exhibit:
    """One image of the gallery: a variant's difference in the primary score, and its pictures.

    Attributes:
        pictures: title and data URI: truth, baseline, variant.
    """

    variant: str
    name: str
    source: str
    difference: float
    pictures: list[tuple[str, str]]


def make_gallery(runs: Sequence[EvaluatedRun], comparison: Comparison, baseline: str, folder: Path) -> list[Exhibit]:
    """Largest wins of a variant, then its largest losses; fewer where there are few images, or no pictures.

    The comparison's score orders the images; pictures are downloaded into `folder`.
    """
    variant, higher = comparison.variant, comparison.measure.higher
    images = comparison.difference.by_image.sort_values("difference", ascending=not higher)
    wins = images[(images["difference"] > 0) == higher].query("difference != 0").head(_EACH)
    losses = images[(images["difference"] > 0) != higher].query("difference != 0").tail(_EACH).iloc[::-1]
    exhibits = []
    for rows in (wins, losses):
        for row in rows.rename(columns={"name": "image"}).itertuples():
            ours, theirs = (_run_of(runs, name, row.fold) for name in (variant, baseline))
            wanted = [
                ("true pores", theirs, "truth"),
                (_titled(theirs), theirs, "overlays"),
                (_titled(ours), ours, "overlays"),
            ]
            pictures = [
                (title, picture)
                for title, run, kind in wanted
                if (picture := _picture(run, f"{kind}/{row.image}.png", folder)) is not None
            ]
            if pictures:
                exhibits.append(Exhibit(variant, row.image, row.source, row.difference, pictures))
    return exhibits


def _run_of(runs: Sequence[EvaluatedRun], variant: str, fold: str) -> EvaluatedRun:
    return next(run for run in runs if run.variant == variant and run.fold == fold)


def _titled(run: EvaluatedRun) -> str:
    return run.variant + (f", seed {run.seed}" if run.seed else "")


def _picture(run: EvaluatedRun, name: str, folder: Path) -> str | None:
    try:
        path = run.stored.download(f"{EVALUATION_FOLDER}/{name}", folder / run.run_id)
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except (UserError, OSError):  # a gallery with a gap is better than no report
        return None
    small.thumbnail((_LONGEST, _LONGEST))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=88, subsampling=0)  # without subsampling, or the colours of thin pores fade
    return data_uri("image/jpeg", content.getvalue())
