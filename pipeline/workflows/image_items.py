"""The images that a user gives, without labels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from pipeline.data import (
    IMAGE_SUFFIXES,
    Intensity,
    check_image,
    is_image,
    read_image,
    sources_by_pattern,
    stem_of,
)
from pipeline.errors import UserError
from pipeline.microscope import imaged_rows
from pipeline.wording import some_of
from pipeline.workflows.samples import pool_intensities

logger = logging.getLogger("vlsenet")


def image_items(
    path: str,
    prompt: str,
    group_pattern: str | None = None,
    skip_bad: bool = False,
    info_bar: str | int = "auto",
) -> list[dict[str, Any]]:
    """The image at ``path``, or the images in the folder, as the dictionaries that MONAI's transforms take.

    All images are read once before the first is segmented, so that a bad one is not found hours later.

    Args:
        path: image file, or folder (its own files, not those of folders in it).
        prompt: text prior of every image.
        group_pattern: regular expression for the part of a file name that names the micrograph that the image was
            cut from; None: each image is a micrograph. Grey levels are normalised over a micrograph.
        skip_bad: continue without images that can't be used.
        info_bar: what is not segmented at the lower border: `auto` (the microscope's strip of text, where there is
            one), `keep`, or its height (px).

    Raises:
        UserError: no image, two images of the same name, or images that can't be used, one line each.
    """
    files = _image_files(Path(path))
    by_name = {stem_of(file): file for file in files}
    # the command line gives a pattern of digits as a number
    sources = {} if group_pattern is None else sources_by_pattern(by_name, str(group_pattern))
    problems = []
    items = []
    for file in files:
        try:
            whole = read_image(file)
            image = whole[: imaged_rows(whole, file, info_bar)]
            check_image(image, file)
        except UserError as error:
            problems.append(str(error))
        else:
            name = stem_of(file)
            item: dict[str, Any] = {"image": str(file), "image_path": str(file), "name": name, "prompt": prompt}
            item |= {"source": sources.get(name, name), "intensity": Intensity.of(image)}
            items.append({**item, "rows": len(image), "info_bar": len(whole) - len(image)})
    items = pool_intensities(items)
    if problems and (not skip_bad or not items):
        advice = "--skip_bad continues without them" if items else "there are no others"
        raise UserError("\n".join([*problems, f"{len(problems)} of {len(files)} images can't be used; {advice}"]))
    for problem in problems:
        logger.warning("skipped: %s", problem)
    bars = [f"{item['name']} ({item['info_bar']} rows)" for item in items if item["info_bar"]]
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
    if path.is_file():
        return [path]
    files = sorted(
        file for file in path.iterdir() if file.is_file() and is_image(file) and not file.name.startswith(".")
    )
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
