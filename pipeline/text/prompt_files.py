"""Prompts for the images of a data set: from each image's statistics to its file in `text/`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from pipeline.data import check_image, load_image
from pipeline.data.pairs import TEXT_FOLDER, find_layout
from pipeline.errors import FileProblem, UserError
from pipeline.files import write_text
from pipeline.images import is_image, stem_of
from pipeline.text.language_model import Endpoint, LanguageModelWriter, UnusableAnswer
from pipeline.text.prompt_writer import ImageStatistics, write_prompt
from pipeline.wording import check_name

PromptWriter = Callable[[ImageStatistics], str]
WRITERS = ("rules", "language_model")


@dataclass(frozen=True)
class WrittenPrompts:
    """What became of a data set's images.

    Attributes:
        prompts: image name to the prompt that was written (or would be).
        kept: names that had a text of their own already.
        problems: one line for each image that can't be used, or of which the writer made no sentence.
    """

    prompts: dict[str, str]
    kept: tuple[str, ...]
    problems: tuple[str, ...]


def build_writer(name: str) -> PromptWriter:
    """The writer of a name: `rules`, or `language_model` (its address comes from the environment).

    Raises:
        UserError: another name, or no address of a language model.
    """
    check_name("writer", name, WRITERS)
    return write_prompt if name == "rules" else LanguageModelWriter(Endpoint.from_environment())


def write_prompts(
    dataset_dir: str | Path,
    writer: PromptWriter,
    *,
    info_bar: str | int = "auto",
    overwrite: bool = False,
    dry_run: bool = False,
) -> WrittenPrompts:
    """Write `text/<image stem>.txt` for each image of a data set that has none, so an interrupted run resumes.

    Args:
        dataset_dir: folder with `images/` and `labels/` (or `patch_images/` and `patch_mask/`).
        writer: makes a prompt from an image's statistics.
        info_bar: the strip of text below the images, which does not count: auto, keep, or its height (px).
        overwrite: also replace the texts that are there.
        dry_run: write no file.

    Raises:
        UserError: no data set there, two images of the same name, an `info_bar` that is no choice or leaves nothing
            of an image, or a writer or a folder that fails. What was written before stays.
    """
    root = Path(dataset_dir).expanduser().absolute()
    images = _images(find_layout(root)[0])
    folder = root / TEXT_FOLDER
    texts = _texts(folder)
    there = set() if overwrite else texts
    if not dry_run:
        _check_writable(folder)  # before a language model is paid for an answer
    prompts: dict[str, str] = {}
    problems = []
    todo = {name: file for name, file in images.items() if name not in there}
    for name, file in tqdm(todo.items(), unit="image", desc="prompts", delay=1):
        try:
            image = load_image(file, info_bar).pixels
            check_image(image, file)
        except FileProblem as error:
            problems.append(str(error))
            continue
        try:
            prompts[name] = writer(ImageStatistics.of(image))
        except UnusableAnswer as error:  # the others need not wait for it
            problems.append(f"{file}: {error}")
            continue
        if not dry_run:
            _write(folder / f"{name}.txt", prompts[name])
    return WrittenPrompts(prompts, tuple(name for name in images if name in there), tuple(problems))


def _images(folder: Path) -> dict[str, Path]:
    files = sorted(file for file in folder.iterdir() if is_image(file) and not file.name.startswith("."))
    twice = [name for name, count in Counter(map(stem_of, files)).items() if count > 1]
    if twice:
        raise UserError(f"{folder}: several images have the same name ({', '.join(twice[:5])}); rename them")
    if not files:
        raise UserError(f"{folder}: no images in this folder")
    return {stem_of(file): file for file in files}


def _texts(folder: Path) -> set[str]:
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise UserError(f"{folder}: it is a file or a broken link, but the texts go into this folder; move it away")
        return set()
    # a blank file is no text: the data set's check refuses it
    return {
        file.name[: -len(".txt")]
        for file in sorted(folder.iterdir())
        if file.suffix.lower() == ".txt" and _content(file).strip(b"\xef\xbb\xbf \t\r\n")
    }


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:  # a folder of this name, a link to nothing, a file of somebody else's
        raise UserError(f"{file}: it can't be read as text ({error.strerror}); move it away") from error


def _check_writable(folder: Path) -> None:
    place = folder if folder.exists() else folder.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{place}: no permission to write; check the folder's permissions")


def _write(path: Path, prompt: str) -> None:
    try:
        write_text(path, prompt + "\n")
    except OSError as error:
        raise UserError(f"{path}: it can't be written ({error.strerror}); check the folder's permissions") from error
