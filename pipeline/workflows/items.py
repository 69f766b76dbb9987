"""From a checked data set, or a user's images, to the samples that transforms take, and to their text features."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data import DatasetIndex, Sample, check_image, index_datasets, load_image
from pipeline.data.pairs import sentence_of
from pipeline.errors import UserError
from pipeline.foreground.measurement import BOTH, ShadingChoice
from pipeline.images import IMAGE_SUFFIXES, is_image, stem_of
from pipeline.images.microscope import read_acquisition
from pipeline.images.microscope.findings import mean_side
from pipeline.images.rectangles import Rows
from pipeline.images.volume import bars_in_words
from pipeline.phases import PORE, LabelValues, Phase
from pipeline.text import (
    DEFAULT_PROMPT,
    EMPTY_PROMPT,
    TextSource,
    TextStore,
    build_text_source,
    build_text_store,
    clean_prompt,
)
from pipeline.text.clip_source import ClipSource
from pipeline.wording import some_of

logger = logging.getLogger("vlsenet")


def open_dataset(
    dataset_dir: str | Sequence[str],
    pore_label: int | str | None = None,
    group_pattern: str | None = None,
    skip_bad: bool = False,
    divide: bool = True,
    split_csv: str | Sequence[str] | None = None,
    info_bar: str | int = "auto",
    phases: str | None = None,
    unlabelled: int | str | None = None,
    usual: LabelValues | None = None,
) -> DatasetIndex:
    """Check and index a data set, or several, and log what a user should know: splits, notes, skipped files.

    The arguments are those of :func:`pipeline.data.index_dataset`.

    Raises:
        UserError: all problems, one per line.
    """
    # the command line gives a folder or a pattern of digits as a number
    pattern = None if group_pattern is None else str(group_pattern)
    folders = [str(dataset_dir)] if isinstance(dataset_dir, (str, int, float)) else [*map(str, dataset_dir)]
    index = index_datasets(
        folders,
        pore_label=pore_label,
        group_pattern=pattern,
        skip_bad=skip_bad,
        divide=divide,
        split_csv=[*map(str, split_csv)] if isinstance(split_csv, (list, tuple)) else split_csv and str(split_csv),
        usual=usual,
        info_bar=info_bar,
        phases=phases,
        unlabelled=unlabelled,
    )
    if pore_label is None and usual is not None and usual.pores_only and all(v.pores_only for v in index.values):
        reason = "as in the training" if index.pore_label == usual.pore_label else "the larger of two values"
        logger.info("label value %s is pore (%s); --pore_label K changes it", index.pore_label, reason)
    for folder, values in zip(index.roots, index.values, strict=True):
        if values.phases and not values.pores_only:
            logger.info("%s: %s", folder, values)
    for split, count in sorted(Counter(sample.split for sample in index.samples).items()):
        sources = sorted({sample.source for sample in index.samples if sample.split == split})
        logger.info("%s: %d images from %d sources (%s)", split, count, len(sources), some_of(sources))
    for note in index.notes:
        logger.warning("%s", note)
    for problem in index.skipped:
        logger.warning("skipped: %s", problem)
    return index


#: what images are asked with: the phrase of a single phase, or those of several
Prompts = str | list[str]


def asked_prompts(phases: Sequence[Phase], prompt: str | None = None, sentences: bool = False) -> Prompts:
    """The phrase that each phase is asked for with: its own, or the one that is given for a single phase.

    Raises:
        UserError: a prompt for several phases, or sentences, which are about pores alone.
    """
    if len(phases) == 1:
        return clean_prompt(phases[0].prompt if prompt is None else str(prompt))
    names = some_of([phase.name for phase in phases])
    if prompt is not None:
        raise UserError(f"--prompt {prompt}: there are several phases ({names}), each asked for by its own phrase")
    if sentences:
        raise UserError(f"--sentences: an image's own sentence is about pores, but there are several phases ({names})")
    return [clean_prompt(phase.prompt) for phase in phases]


def usual_shading(phases: Sequence[Phase], chosen: ShadingChoice | None = None) -> ShadingChoice:
    """What a training does with shading: as chosen, or else removed for pores, and seen both ways for other phases.

    Pores are small. A phase as large as a cell of the shading's map has its own grey there, which would be removed.
    """
    usual = True if [phase.name for phase in phases] == [PORE] else BOTH
    return usual if chosen is None else chosen


def sample_items(
    samples: Sequence[Sample], asked: Prompts, sentences: bool = False, pixel_size_nm: float | None = None
) -> list[dict[str, Any]]:
    """Samples as the dictionaries that MONAI's transforms take: image, label, name, source, prompt, pixel_size_nm,
    rows, those without an info bar, and the meaning of the label's values; of a part of an image also that part.

    Args:
        samples: of a data set.
        asked: as `asked_prompts` gives it.
        sentences: ask an image of a single phase with its own text, where there is one.
        pixel_size_nm: of all images; None: as their files say.
    """
    return [
        {
            "image": str(sample.image),
            "label": str(sample.label),
            "name": sample.name,
            "source": sample.source,
            "prompt": clean_prompt(sample.prompt) if sentences and sample.prompt else asked,
            "pixel_size_nm": _pixel_size(sample.image, pixel_size_nm),
            "rows": np.array(sample.rows),
            **({} if sample.part is None else {"part": tuple(sample.part)}),
            "values": sample.values,
        }
        for sample in samples
    ]


def _pixel_size(image: Path, given_nm: float | None) -> np.ndarray:
    """Pixel height and width (nm) as a batch carries them: NaN where they are not known."""
    found = (given_nm, given_nm) if given_nm is not None else read_acquisition(image).pixel_size_nm
    return np.array(found or (np.nan, np.nan), np.float64)


def encode_prompts(
    index: DatasetIndex,
    encoder: TextSource,
    network_reads: bool = True,
    asked: Prompts = DEFAULT_PROMPT,
    sentences: bool = False,
) -> TextStore:
    """Encode every text of a data set once, the phrases of its phases, and of a single phase those that an audit
    compares them with: sentences, generic and empty.

    A network that reads no text should not need CLIP's weights: zeros replace its features.

    Raises:
        UserError: the encoder's weights can't be reached.
    """
    own = {clean_prompt(sample.prompt) for sample in index.samples if sample.prompt}
    if isinstance(asked, str):
        asked = [clean_prompt(asked)]
        prompts = dict.fromkeys([DEFAULT_PROMPT, EMPTY_PROMPT, *asked, *sorted(own)])
    else:
        prompts = dict.fromkeys([EMPTY_PROMPT, *asked])
    if not network_reads and isinstance(encoder, ClipSource):
        logger.info("text prior: none; CLIP is not loaded, since this network reads no text")
        encoder = build_text_source("none")
    store = build_text_store(encoder, list(prompts))
    if not network_reads:
        return store
    source = store.provenance["source"]
    texts = "each image's own sentence, where there is one" if sentences else ", ".join(map(repr, asked))
    logger.info("text prior: %s; text asked: %s", source, texts if store.reads_prompts else "none, it reads no prompt")
    if not store.reads_prompts and sentences and own:
        logger.warning(
            "text_source %s reads no prompt: the texts in text/ of %s have no effect; --text_source clip reads them",
            source,
            index.place,
        )
    return store


def image_items(
    path: str,
    asked: Prompts,
    sentences: bool = False,
    skip_bad: bool = False,
    info_bar: str | int = "auto",
    pixel_size_nm: float | None = None,
) -> list[dict[str, Any]]:
    """The image at ``path``, or the images in the folder, as the dictionaries that MONAI's transforms take.

    All images are read once before the first is segmented, so that a bad one is not found hours later.

    Args:
        path: image file, or folder (its own files, not those of folders in it).
        asked: as `asked_prompts` gives it.
        sentences: ask an image of a single phase with the sentence that belongs to it (`sentence_of`), if one does.
        skip_bad: continue without images that can't be used.
        info_bar: what is not segmented at the lower border: `auto` (the microscope's strip of text, where there is
            one), `keep`, or its height (px).
        pixel_size_nm: of all images; None: as their files say.

    Raises:
        UserError: no image, two images of the same name, or images that can't be used, one line each.
    """
    files = _image_files(Path(path))
    problems = []
    items = []
    for file in files:
        try:
            image = load_image(file, info_bar)
            check_image(image.pixels, file)
            sentence = sentence_of(file) if sentences else None
        except UserError as error:
            problems.append(str(error))
        else:
            item: dict[str, Any] = {"image": str(file), "image_path": str(file), "name": stem_of(file)}
            prompt = clean_prompt(sentence) if sentence else asked
            item |= {"prompt": prompt, "pixel_size_nm": _pixel_size(file, pixel_size_nm)}
            items.append({**item, "rows": np.array(image.rows), "height": image.height})
    if problems and (not skip_bad or not items):
        advice = "--skip_bad continues without them" if items else "there are no others"
        raise UserError("\n".join([*problems, f"{len(problems)} of {len(files)} images can't be used; {advice}"]))
    for problem in problems:
        logger.warning("skipped: %s", problem)
    cut = {item["name"]: bars_in_words(Rows(*item["rows"].tolist()), item["height"]) for item in items}
    bars = [f"{name} ({bar})" for name, bar in cut.items() if bar]
    if bars:
        logger.info("info bars cut off: %s; --info_bar keep leaves them in", some_of(bars))
    return items


def items_left(items: Sequence[dict[str, Any]], done: Collection[str]) -> list[dict[str, Any]]:
    """The items that an interrupted run has not finished."""
    left = [item for item in items if item["name"] not in done]
    if done:
        logger.info("%d of %d images are already finished", len(items) - len(left), len(items))
    return left


def _image_files(path: Path) -> list[Path]:
    if not path.is_dir() or is_image(path):
        return [path]
    files = sorted(file for file in path.iterdir() if is_image(file) and not file.name.startswith("."))
    if not files:
        inner = next((folder for folder in ("images", "patch_images") if (path / folder).is_dir()), None)
        hint = f"; did you mean {path / inner}?" if inner else f"; supported: {', '.join(sorted(IMAGE_SUFFIXES))}"
        raise UserError(f"--input {path}: no images in this folder{hint}")
    twice = [name for name, count in Counter(map(stem_of, files)).items() if count > 1]
    if twice:
        raise UserError(
            f"--input {path}: several images differ only in their extension ({', '.join(twice[:5])}), "
            "so their masks would overwrite each other; rename them"
        )
    return files


def pixel_sizes(samples: Sequence[Sample]) -> dict[str, float]:
    """Side of a pixel (nm) by the image's name; for a pixel that is not square, of the square of equal area."""
    sizes = {}
    for sample in samples:
        size = read_acquisition(sample.image).pixel_size_nm
        if size is not None:
            sizes[sample.name] = mean_side(size)
    return sizes


def trained_pixel_sizes(index: DatasetIndex, given_nm: float | None = None) -> list[float]:
    """The pixel sizes (nm) of a data set's training images, each once, in ascending order.

    Args:
        index: the data set.
        given_nm: of all its images, as given by the user; None: as their files say.

    Returns:
        Empty if they are not known.
    """
    if given_nm is not None:
        return [float(given_nm)]
    images = index.select("train")
    found = pixel_sizes(images)
    if not found:
        logger.info("the pixel size of the training images is not known: the model will not resample scans")
    elif len(found) < len(images):
        logger.warning("%d of %d training images have no known pixel size", len(images) - len(found), len(images))
    return sorted({round(size, 4) for size in found.values()})
