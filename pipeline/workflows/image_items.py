"""The images that a user points at, without labels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.data import IMAGE_SUFFIXES, check_image, is_image, read_image, stem_of
from pipeline.errors import UserError

logger = logging.getLogger("vlsenet")


def image_items(path: str, prompt: str, skip_bad: bool = False, done: Collection[str] = ()) -> list[dict[str, Any]]:
    """The image at ``path``, or the images in the folder, as the dictionaries that MONAI's transforms take.

    Each image is read once before the first is segmented, so that a bad one is not found hours later.

    Args:
        path: image file, or folder (its own files, not those of folders in it).
        prompt: text prior of every image.
        skip_bad: go on without images that can't be used.
        done: names that are left out, as they have been segmented.

    Raises:
        UserError: no image there, two images of the same name, or images that can't be used, a line each.
    """
    files = _image_files(Path(path))
    problems = []
    items = []
    for file in files:
        if stem_of(file) in done:
            continue
        try:
            check_image(read_image(file), file)
        except UserError as error:
            problems.append(str(error))
        else:
            items.append({"image": str(file), "image_path": str(file), "name": stem_of(file), "prompt": prompt})
    if problems and (not skip_bad or not items):
        advice = "--skip_bad goes on without" if items else "no other image is there"
        raise UserError("\n".join([*problems, f"{len(problems)} of {len(files)} images can't be used; {advice}"]))
    for problem in problems:
        logger.warning("left out: %s", problem)
    if done:
        logger.info("%d of %d images were done before", len(files) - len(items) - len(problems), len(files))
    return items


def _image_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted(
        file for file in path.iterdir() if file.is_file() and is_image(file) and not file.name.startswith(".")
    )
    if not files:
        inner = next((folder for folder in ("images", "patch_images") if (path / folder).is_dir()), None)
        hint = f"; did you mean {path / inner}?" if inner else f"; it takes {', '.join(sorted(IMAGE_SUFFIXES))}"
        raise UserError(f"--input {path}: no image in this folder{hint}")
    twice = [name for name, count in Counter(map(stem_of, files)).items() if count > 1]
    if twice:
        raise UserError(
            f"--input {path}: several images are called {', '.join(twice[:5])} (with different endings), "
            "and their masks would overwrite each other; rename them"
        )
    return files
