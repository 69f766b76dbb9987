"""Reads every file of a data set once, and collects its problems and the numbers that are kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.data.pairs import Pair, read_sentence
from pipeline.data.problems import Problem
from pipeline.data.strokes import looks_like_strokes
from pipeline.errors import FileProblem, UserError
from pipeline.files import sha256_of
from pipeline.images import open_only_image, read_image
from pipeline.images.grey import COLOUR_ADVICE, few_levels
from pipeline.images.rectangles import Rows
from pipeline.wording import some_of

SMALLEST_SIDE = 16


@dataclass(frozen=True)
class Record:
    """What is kept of one image, its label and its text.

    Attributes:
        pair: The files.
        shape: (H, W) of what is imaged, pixels; the file's image may have an info bar below or above it.
        info_bar: Height of that bar, pixels; 0 where there is none.
        first_row: Of the file's image that is imaged; more than 0 where a bar is on top.
        dtype: The image's, by NumPy's name.
        counts: Pixels for each label value, where there is image.
        image_sha256: Of the image file's bytes.
        label_sha256: Of the label file's bytes.
        prompt: The text, stripped; None without a text file.
        constant: Whether all of the image's pixels are the same.
        black: Whether all of them are zero.
        coloured: Whether grey was made of channels that differ.
        from_jpeg: Whether the label was cut from a JPEG.
        doubts: What is odd in how the two files store their pixels, with the file's name.
        strokes: Whether the label looks like strokes, not like a mask.
    """

    pair: Pair
    shape: tuple[int, int]
    info_bar: int
    first_row: int
    dtype: str
    counts: dict[int, int]
    image_sha256: str
    label_sha256: str
    prompt: str | None
    constant: bool
    black: bool
    coloured: bool
    from_jpeg: bool
    doubts: tuple[str, ...]
    strokes: bool


@dataclass(frozen=True)
class Inspection:
    """The good files' records, sorted by name, all problems, and notes for the log."""

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def inspect_pairs(pairs: Sequence[Pair], info_bar: str | int = "auto") -> Inspection:
    """Read all files of a data set, in a pool of threads, and collect what is wrong with them.

    Args:
        pairs: Images with their labels; not empty.
        info_bar: What is cut off the images: see `pipeline.images.microscope.rows_without_bar`.

    Returns:
        The records of those without a problem, the problems in the order of the pairs, and notes. A broken text
        costs the sample its prompt only. Where all images or all labels are zero, there are no records left.

    Raises:
        UserError: `info_bar` is not one of the choices, or leaves nothing of an image; or images and labels look
            swapped.
    """
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(partial(_inspect, info_bar=info_bar), pairs))
    _refuse_swapped(pairs, [levels for *_, levels in results if levels])
    records = [record for record, *_ in results if record is not None]
    problems = [problem for _, found, _ in results for problem in found]
    names = tuple(record.pair.name for record in records)
    notes: list[str] = []
    if records and all(record.black for record in records):
        folder = records[0].pair.image.parent
        problems.append(Problem(folder, "every image in it is zero (black)", "export the images again", names))
        records = []
    elif records and all(set(record.counts) == {0} for record in records):
        folder = records[0].pair.label.parent
        what = "every label in it is zero, so nothing is marked as pore"
        problems.append(Problem(folder, what, "export the labels again", names))
        records = []
    bars = {record.pair.image.name: record.info_bar for record in records if record.info_bar}
    if bars:
        low, high = min(bars.values()), max(bars.values())
        rows = f"{low} rows" if low == high else f"{low} to {high} rows"
        notes.append(
            f"the info bar is cut off in {len(bars)} image(s), {rows}: {some_of(list(bars))}; "
            "--info_bar keep leaves it in"
        )
    flat = [record.pair.image.name for record in records if record.constant]
    if flat:
        notes.append(f"{len(flat)} image(s) hold a single grey value: {some_of(flat)}")
    coloured = [record.pair.image.name for record in records if record.coloured]
    if coloured:
        notes.append(f"colour channels differ in {len(coloured)} image(s), {some_of(coloured)}; {COLOUR_ADVICE}")
    cut = [record.pair.label.name for record in records if record.from_jpeg]
    if cut:
        notes.append(
            f"{len(cut)} label(s) are JPEG, which smears edges: black and white were separated at 128; "
            f"PNG is better for labels: {some_of(cut)}"
        )
    if doubts := [doubt for record in records for doubt in record.doubts]:
        notes.append(f"check how these are stored: {some_of(doubts)}")
    return Inspection(tuple(records), tuple(problems), tuple(notes))


def _refuse_swapped(pairs: Sequence[Pair], levels: Sequence[int]) -> None:
    """Refuse a data set most of whose images and labels look swapped; `levels` are those of these images."""
    if 2 * len(levels) <= len(pairs):
        return
    images, labels = pairs[0].image.parent, pairs[0].label.parent
    low, high = min(levels), max(levels)
    values = str(low) if low == high else f"{low} to {high}" if high > low + 1 else f"{low} or {high}"
    raise UserError(
        f"{images.parent}: the images in {images.name}/ hold {values} values and the labels in {labels.name}/ grey "
        "levels: are the folders swapped? Exchange their names"
    )


def _swapped_levels(image: np.ndarray, label: Path) -> int:
    """How many grey levels an image has that looks like a mask, if its label looks like a micrograph; else 0."""
    levels = few_levels(image)
    if levels is None or len(levels) < 2:
        return 0
    try:
        return len(levels) if few_levels(read_image(label)) is None else 0
    except FileProblem:
        return 0


@dataclass(frozen=True)
class LoadedImage:
    """An image of a data set.

    Attributes:
        pixels: Grey values without the info bar, (H, W).
        rows: Those of the file that they are.
        height: Of the file's image, pixels.
        coloured: Whether grey was made of channels that differ.
        doubts: What is odd in how they are stored.
    """

    pixels: np.ndarray
    rows: Rows
    height: int
    coloured: bool
    doubts: tuple[str, ...]

    @property
    def info_bar(self) -> int:
        """Rows of the info bar; 0 where there is none."""
        return self.height - self.rows.number


def load_image(path: Path, info_bar: str | int = "auto") -> LoadedImage:
    """Read an image of a data set without its info bar.

    Raises:
        FileProblem: It can't be read.
        UserError: `info_bar` is not one of the choices of `rows_without_bar`, or leaves nothing of the image.
    """
    with open_only_image(path) as source:
        pixels, rows = source.read_all(), source.imaged_rows(info_bar)
        return LoadedImage(pixels[slice(*rows)], rows, len(pixels), source.coloured, source.doubts)


def _inspect(pair: Pair, info_bar: str | int) -> tuple[Record | None, list[Problem], int]:
    """What is kept, what is wrong, and `_swapped_levels`."""
    problems: list[Problem] = []
    image = label = None
    from_jpeg = False
    doubts: tuple[str, ...] = ()
    try:
        image = load_image(pair.image, info_bar)
        check_image(image.pixels, pair.image)
    except FileProblem as problem:
        problems.append(Problem.of(problem, pair.name))
    try:
        with open_only_image(pair.label, stored=True) as source:
            label, from_jpeg, doubts = source.read_classes(), source.encoding.jpeg, source.doubts
    except FileProblem as problem:
        problems.append(Problem.of(problem, pair.name))
    if image is not None and label is not None:
        height, width = image.pixels.shape
        if label.shape not in ((height, width), (height + image.info_bar, width)):
            problems.append(_of_another_size(pair, label, (height + image.info_bar, width)))
        if len(label) == image.height:
            label = label[slice(*image.rows)]
    good = not problems
    swapped = 0 if image is None else _swapped_levels(image.pixels, pair.label)

    prompt = None
    if pair.text is not None:
        try:
            prompt = read_sentence(pair.text)
        except FileProblem as problem:
            problems.append(Problem.of(problem))
    if not good or image is None or label is None:
        return None, problems, swapped
    values, counts = np.unique(label, return_counts=True)
    record = Record(
        pair=pair,
        shape=image.pixels.shape,
        info_bar=image.info_bar,
        first_row=image.rows.first,
        dtype=image.pixels.dtype.name,
        counts={int(v): int(n) for v, n in zip(values, counts, strict=True)},
        image_sha256=sha256_of(pair.image),
        label_sha256=sha256_of(pair.label),
        prompt=prompt,
        constant=bool(image.pixels.min() == image.pixels.max()),
        black=not image.pixels.any(),
        coloured=image.coloured,
        from_jpeg=from_jpeg,
        doubts=(*_named(pair.image, image.doubts), *_named(pair.label, doubts)),
        strokes=looks_like_strokes(image.pixels, label),
    )
    return record, problems, swapped


def _named(path: Path, doubts: Iterable[str]) -> list[str]:
    return [f"{path.name} ({doubt})" for doubt in doubts]


def check_image(image: np.ndarray, path: Path) -> None:
    """Check that an image (H, W) can go through a network.

    Raises:
        FileProblem: It is too small.
    """
    if min(image.shape) < SMALLEST_SIDE:
        what = f"it is only {_size(image.shape)}, but each side needs at least {SMALLEST_SIDE} pixels"
        raise FileProblem(path, what, "remove it with its label, or use a larger crop")


def _of_another_size(pair: Pair, label: np.ndarray, shape: tuple[int, int]) -> Problem:
    """The problem of a label of another size than its image, of which `shape` (H, W) includes an info bar."""
    remedy = "export both at the same size"
    missing = shape[0] - len(label)
    if label.shape[1] == shape[1] and missing > 0:
        remedy += f", or give --info_bar {missing} if the image's lowest {missing} rows are an info bar "
        remedy += f"(top:{missing} for the uppermost)"
    what = f"it is {_size(label.shape)}, but its image {pair.image.name} is {_size(shape)}"
    return Problem(pair.label, what, remedy, (pair.name,))


def _size(shape: tuple[int, ...]) -> str:
    """Width x height, as image viewers show it."""
    return f"{shape[1]}x{shape[0]} pixels"
