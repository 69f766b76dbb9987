"""The images with the largest wins and losses, side by side with the truth."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipeline.comparison.differences import Comparison
from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.errors import UserError
from pipeline.phases import picture_name
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
            phase = _differing_phase(ours, theirs, row.image, comparison.measure.name)
            after = f", {phase}" if len(ours.by_phase) > 1 else ""
            wanted = [
                (f"true {phase}" if after else "true pores", theirs, "truth"),
                (_titled(theirs) + after, theirs, "overlays"),
                (_titled(ours) + after, ours, "overlays"),
            ]
            pictures = [
                (title, picture)
                for title, run, kind in wanted
                if (picture := _picture(run, f"{kind}/{_file(run, row.image, phase)}", folder)) is not None
            ]
            if pictures:
                exhibits.append(Exhibit(variant, row.image, row.source, row.difference, pictures))
    return exhibits


def _run_of(runs: Sequence[EvaluatedRun], variant: str, fold: str) -> EvaluatedRun:
    return next(run for run in runs if run.variant == variant and run.fold == fold)


def _differing_phase(ours: EvaluatedRun, theirs: EvaluatedRun, image: str, measure: str) -> str:
    """The phase of an image whose score differs most between two runs."""

    def difference(name: str) -> float:
        scores = [run.by_phase[name].images.set_index("name").get(measure) for run in (ours, theirs)]
        values = [float(of.get(image, math.nan)) for of in scores if of is not None]
        return abs(values[0] - values[1]) if len(values) == 2 and not math.isnan(values[0] - values[1]) else -1.0

    return max(ours.by_phase, key=difference)


def _file(run: EvaluatedRun, image: str, phase: str) -> str:
    """The file of an image's picture, of several phases that of one of them."""
    return picture_name(image, phase if "phases" in run.summary else None)


def _titled(run: EvaluatedRun) -> str:
    return run.variant + (f", seed {run.seed}" if run.seed else "")


def _picture(run: EvaluatedRun, name: str, folder: Path) -> str | None:
    try:
        return thumbnail(run.stored.download(f"{EVALUATION_FOLDER}/{name}", folder / run.run_id))
    except UserError:  # a gallery with a gap is better than no report
        return None


def thumbnail(path: Path) -> str | None:
    """A picture within a page, small, as a data URI; None where it can't be read."""
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except OSError:
        return None
    small.thumbnail((_LONGEST, _LONGEST))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=88, subsampling=0)  # without subsampling, or the colours of thin pores fade
    return data_uri("image/jpeg", content.getvalue())
