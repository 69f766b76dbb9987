"""What to label next: regions of which the model is unsure, unlike those that are labelled already.

The uncertainty of a pixel is the entropy of its probability; of a region, the mean over its pixels that are rock and
not labelled yet. Regions are taken one by one, each time the one with the highest uncertainty, weighted by how far its
look (`engine.familiarity.window_features`) lies from the nearest region that is labelled or was taken before: so that
the first ones are not twenty views of one grain. This is uncertainty sampling with a term for diversity (B. Settles,
Active Learning, 2012, chapter 3).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.csv_tables import write_csv
from pipeline.data.pairs import composed
from pipeline.data.phases_file import PHASES_FILE, read_phases_csv
from pipeline.engine.familiarity import window_features
from pipeline.errors import UserError
from pipeline.files import files_together, name_that_fits
from pipeline.images import is_image, open_only_image, stem_of
from pipeline.images.formats import is_zarr
from pipeline.images.grey import label_of
from pipeline.images.rectangles import Part
from pipeline.phase_colours import phase_colours
from pipeline.phases import LabelValues, decided
from pipeline.visual import write_png
from pipeline.visual.overlay import phase_overlay
from pipeline.wording import some_of
from pipeline.workflows.label_loop.seen_image import SeenImage
from pipeline.workflows.model_file import TrainedModel

logger = logging.getLogger("vlsenet")

TABLE, OF_IMAGES, PICTURES = "suggestions.csv", "images.csv", "pictures"
#: parts that are looked at in one image, spread over it, and in all images together
_MOST_IN_IMAGE, _MOST = 64, 600
#: a region that is labelled to this share is done
_DONE = 0.5


@dataclass(frozen=True)
class Region:
    """A square of an image.

    Attributes:
        image: its file.
        y: first row (px).
        x: first column (px).
        height: rows (px).
        width: columns (px).
        uncertainty: mean entropy of its pixels that are not labelled, 0 to 1.
        labelled: share of its pixels that are labelled.
        look: what it looks like, (D,).
        unlike: distance of its look from the nearest region that is labelled or comes before it; 1 is usual.
    """

    image: Path
    y: int
    x: int
    height: int
    width: int
    uncertainty: float
    labelled: float
    look: np.ndarray = field(repr=False)
    unlike: float = float("nan")


def entropy(probability: np.ndarray) -> np.ndarray:
    """Uncertainty (H, W), 0 to 1, of probabilities of phases (K, H, W): bits of the phase least sure."""
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    return (-(p * np.log2(p) + (1 - p) * np.log2(1 - p))).max(axis=0)


def regions_of(image: SeenImage, labelled: Callable[[Part], np.ndarray], side: int, most: int) -> Iterator[Region]:
    """The regions of an image, or of parts that are spread over it.

    Args:
        image: as the model sees it.
        labelled: where a part is labelled (H, W), truth values.
        side: of a region (px).
        most: parts that are looked at.
    """
    parts = list(image.parts())
    chosen = parts if len(parts) <= most else [parts[i * len(parts) // most] for i in range(most)]
    for part in chosen:
        unsure, known = entropy(image.probability(part)), labelled(part)
        rock = image.foreground.rock(image.windows.plan, part)
        seen = image.window(part)[0, 0].numpy()
        scale = image.windows.scale
        window = image.windows.around(part)
        for y, x, height, width in _squares(part, side):
            inside = np.s_[y : y + height, x : x + width]
            open_ = rock[inside] & ~known[inside]
            top, left = (int((part.y + y) * scale[0]) - window.top, int((part.x + x) * scale[1]) - window.left)
            own = seen[top : top + max(16, int(height * scale[0])), left : left + max(16, int(width * scale[1]))]
            if min(own.shape) < 8:
                continue
            look = window_features(own[None]).mean(axis=0)
            uncertainty = float(unsure[inside][open_].mean()) if open_.any() else 0.0
            yield Region(
                image.path, part.y + y, part.x + x, height, width, uncertainty, float(known[inside].mean()), look
            )


def _squares(part: Part, side: int) -> list[tuple[int, int, int, int]]:
    """Row, column, height and width of the squares of a part; narrow ones at its end join those before."""

    def cuts(length: int) -> list[tuple[int, int]]:
        starts = [start for start in range(0, length, side) if start == 0 or length - start >= side // 2]
        return [(start, stop - start) for start, stop in zip(starts, [*starts[1:], length], strict=True)]

    return [(y, x, height, width) for y, height in cuts(part.height) for x, width in cuts(part.width)]


def ranked(regions: Sequence[Region], count: int) -> list[Region]:
    """The regions to label next, the first first.

    Args:
        regions: of all images.
        count: how many at most.
    """
    if not regions:
        return []
    looks = np.stack([region.look for region in regions])
    looks = (looks - looks.mean(axis=0)) / (looks.std(axis=0) + 1e-6)
    done = np.array([region.labelled for region in regions])
    usual = max(1e-6, float(np.median(np.linalg.norm(looks - np.median(looks, axis=0), axis=1))))
    apart = np.full(len(regions), np.inf)
    for place in np.flatnonzero(done > 0):
        apart = np.minimum(apart, np.linalg.norm(looks - looks[place], axis=1) / usual)
    left = done < _DONE
    chosen: list[Region] = []
    unsure = np.array([region.uncertainty for region in regions])
    while left.any() and len(chosen) < count:
        # beyond the usual distance, being unlike is no merit of its own: it may be an artefact
        worth = np.where(left, unsure * np.minimum(1.0, apart), -1.0)
        best = int(worth.argmax())
        region = regions[best]
        chosen.append(Region(**{**vars(region), "unlike": float(apart[best])}))
        left[best] = False
        apart = np.minimum(apart, np.linalg.norm(looks - looks[best], axis=1) / usual)
    return chosen


class LabelledParts:
    """What of an image is labelled already.

    Args:
        label: file of its label; None: nothing is.
        values: what label values mean.
    """

    def __init__(self, label: Path | None, values: LabelValues | None) -> None:
        self._label, self._values = label, values

    def __call__(self, part: Part) -> np.ndarray:
        """Where a part is labelled (H, W), truth values."""
        if self._label is None:
            return np.zeros((part.height, part.width), bool)
        with open_only_image(self._label, stored=True) as source:
            rows = min(part.height, source.shape[0] - part.y)
            columns = min(part.width, source.shape[1] - part.x)
            if min(rows, columns) <= 0:
                return np.zeros((part.height, part.width), bool)
            values = label_of(source.read(part.y, part.x, rows, columns), source.encoding, source.name)
        unlabelled = () if self._values is None else self._values.unlabelled
        known = ~np.isin(values, unlabelled)
        return np.pad(known, ((0, part.height - rows), (0, part.width - columns)))


def images_and_labels(path: Path) -> dict[Path, LabelledParts]:
    """The images of a data set, of a folder, or a single one, and what of each is labelled.

    Raises:
        UserError: there are none.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give an image, a folder of images, or a data set")
    if not path.is_dir() or is_zarr(path):
        return {path: LabelledParts(None, None)}
    folder = path / "images" if (path / "images").is_dir() else path
    images = [one for one in sorted(folder.iterdir()) if is_image(one) and not one.name.startswith(".")]
    if not images:
        raise UserError(f"{folder}: no images in this folder")
    values = read_phases_csv(path / PHASES_FILE) if (path / PHASES_FILE).is_file() else None
    labels = {}
    if folder != path and (path / "labels").is_dir():
        labels = {composed(stem_of(one)): one for one in sorted((path / "labels").iterdir()) if is_image(one)}
    return {image: LabelledParts(labels.get(composed(stem_of(image))), values) for image in images}


def suggest(
    path: Path, model: TrainedModel, output_dir: Path, count: int = 20, side: int = 256, info_bar: str | int = "auto"
) -> list[Region]:
    """Write what to label next: a table of regions, one of images, and a picture of each region.

    Args:
        path: a data set, a folder of images, or an image.
        model: that is asked.
        output_dir: folder of the tables and pictures.
        count: regions at most.
        side: of a region (px).
        info_bar: as for `open_volume`.

    Returns:
        The regions, the first first.

    Raises:
        UserError: there are no images, or none of them can be read.
    """
    regions, problems = all_regions(path, model, side, info_bar)
    if not regions:
        raise UserError("\n".join(problems) or f"{path}: its images show no rock")
    chosen = ranked(regions, count)
    names = list(_write_pictures(chosen, model, output_dir, info_bar))
    _write_tables(chosen, names, regions, output_dir)
    return chosen


def all_regions(
    path: Path,
    model: TrainedModel,
    side: int,
    info_bar: str | int = "auto",
    before_reading: Callable[[], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[list[Region], list[str]]:
    """The regions of all images, and what is wrong with those that can't be read.

    Args:
        path: as for `suggest`.
        model: that is asked.
        side: of a region (px).
        info_bar: as for `open_volume`.
        before_reading: as for `open_volume`.
        say: is told how far it is, again and again.
    """
    images = images_and_labels(path)
    most = max(1, min(_MOST_IN_IMAGE, _MOST // len(images)))
    regions: list[Region] = []
    problems: list[str] = []
    for number, (file, labelled) in enumerate(images.items(), start=1):
        logger.info("image %d of %d: %s", number, len(images), file.name)
        try:
            with SeenImage.opened(file, model, info_bar, before_reading=before_reading) as image:
                for region in regions_of(image, labelled, side, most):
                    regions.append(region)
                    say(f"looking where the model is unsure: image {number} of {len(images)}, {len(regions)} regions")
        except UserError as problem:
            problems.append(str(problem))
            logger.warning("left out: %s", problem)
    return regions, problems


def _write_pictures(
    regions: Sequence[Region], model: TrainedModel, output_dir: Path, info_bar: str | int
) -> Iterator[str]:
    """Write a picture of each region, and give its name: what the model finds in it, drawn over it."""
    opened: dict[Path, SeenImage] = {}
    colours = phase_colours([phase.name for phase in model.phases])
    try:
        for number, region in enumerate(regions, start=1):
            if region.image not in opened:
                opened[region.image] = SeenImage.opened(region.image, model, info_bar)
            image = opened[region.image]
            part = Part(0, region.y, region.x, region.height, region.width)
            codes = decided(image.probability(part), model.thresholds)
            place = f"_x{region.x}_y{region.y}.png"
            name = name_that_fits(stem_of(region.image), before=f"{number:03d}_", after=place)
            write_png(output_dir / PICTURES / name, phase_overlay(image.grey(part), codes, colours))
            yield f"{PICTURES}/{name}"
    finally:
        for image in opened.values():
            image.volume.close()


def _write_tables(chosen: Sequence[Region], names: Sequence[str], regions: Sequence[Region], folder: Path) -> None:
    rows = [
        {
            "rank": number,
            "image": region.image.name,
            "x_px": region.x,
            "y_px": region.y,
            "width_px": region.width,
            "height_px": region.height,
            "uncertainty": region.uncertainty,
            "unlike": region.unlike,
            "labelled": region.labelled,
            "picture": name,
        }
        for number, (region, name) in enumerate(zip(chosen, names, strict=True), start=1)
    ]
    of_images = pd.DataFrame(
        [{"image": one.image.name, "uncertainty": one.uncertainty, "labelled": one.labelled} for one in regions]
    )
    images = of_images.groupby("image", sort=False).mean().sort_values("uncertainty", ascending=False).reset_index()
    images.insert(0, "rank", range(1, len(images) + 1))
    with files_together(folder) as path_of:
        for file, table in ((TABLE, pd.DataFrame(rows)), (OF_IMAGES, images)):
            write_csv(path_of(file), table.replace([np.inf, -np.inf], np.nan), "%.4f")
    if not chosen:
        logger.info("nothing is left to label: the rock of all images is labelled; %s", folder)
        return
    logger.info(
        "%d regions of %s: %s", len(chosen), some_of(list(dict.fromkeys(one.image.name for one in chosen)), 3), folder
    )
