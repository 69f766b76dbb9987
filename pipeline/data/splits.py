"""What goes to train, val and test: always by source image, never by file.

Tiles of one micrograph on both sides of a split make the validation look better than it is, so every way to a
split here works on sources: a `split.csv`, or a pattern on the file names, or each file as its own source.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.data.pairs import composed
from pipeline.data.pore_label import parse_pore_label
from pipeline.data.problems import Problem
from pipeline.data.spreadsheet import read_rows
from pipeline.errors import UserError
from pipeline.images import stem_of
from pipeline.wording import some_of

SPLITS = ("train", "val", "test")
SPLIT_FILE = "split.csv"
COLUMNS = ("name", "source", "split")
#: further ones, where `vlsenet prepare` was told how to read the data set: the same in all rows
PORE_LABEL, INFO_BAR = "pore_label", "info_bar"
DEFAULT_FRACTIONS = {"train": 0.8, "val": 0.2}

_DRAWS = 64


@dataclass(frozen=True)
class SplitTable:
    """The content of a `split.csv`.

    Attributes:
        rows: (source, split) of each image's name.
        problems: What is wrong with it; those with a name that has no image can be skipped, others are fatal.
        pore_label: The value of pore in the labels that the split was made with; None where it was not given.
        info_bar: What is cut off the lower border, as for `index_dataset`.
    """

    rows: dict[str, tuple[str, str]]
    problems: tuple[Problem, ...]
    pore_label: int | None = None
    info_bar: str | int = "auto"


@dataclass(frozen=True)
class SourceSize:
    """A source's pixels, and how many of them are pore."""

    pixels: int
    pore_pixels: int


def read_split_csv(path: Path, names: Collection[str]) -> SplitTable:
    """Read a `split.csv`: `name,source,split`, a row for each image, in any order, with further columns allowed.

    Names may carry an image suffix or a folder. The file may be as spreadsheets write it (`pipeline.data.spreadsheet`).

    Args:
        path: The file.
        names: The stems that the data set's folder holds.

    Raises:
        UserError: It is no CSV, or lacks a column or any row.
    """
    lines = read_rows(path, names)
    header = [cell.lower() for cell in lines[0][0]] if lines else []
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise UserError(
            f"{path}: its first line must name the columns {','.join(COLUMNS)}; {', '.join(missing)} is missing"
        )
    if len(lines) == 1:
        raise UserError(f"{path}: it has no rows; add one for each image, or remove the file")

    rows: dict[str, tuple[str, str]] = {}
    problems: list[Problem] = []
    for row, number in lines[1:]:
        cells = dict(zip(header, row + [""] * len(header), strict=False))
        name = _name_in(composed(cells["name"]), names)
        source, split = cells["source"], cells["split"].lower()
        at = f"line {number} ({cells['name'] or 'no name'})"
        if not name or not source:
            problems.append(_fatal(path, f"{at}: the {'source' if name else 'name'} is empty", "fill it in"))
        elif split not in SPLITS:
            what = f"{at}: the split '{cells['split']}' is unknown"
            problems.append(_fatal(path, what, f"use one of {', '.join(SPLITS)}"))
        elif name in rows and rows[name] != (source, split):
            what = f"{at}: this image already has source {rows[name][0]}, split {rows[name][1]}"
            problems.append(_fatal(path, what, "keep one row for each image"))
        elif name not in names:
            what = f"{at}: no image or label of this name"
            problems.append(Problem(path, what, "correct the name, or remove the row", (name,)))
        else:
            rows[name] = (source, split)
    of_source: dict[str, set[str]] = {}
    for source, split in rows.values():
        of_source.setdefault(source, set()).add(split)
    for source, splits in sorted(of_source.items()):
        if len(splits) > 1:
            what = f"source {source} is in {' and '.join(s for s in SPLITS if s in splits)}"
            problems.append(_fatal(path, what, "a source belongs to one split only: give all its images that split"))
    reading: dict[str, str] = {}
    for column in (PORE_LABEL, INFO_BAR):
        values = {dict(zip(header, row, strict=False)).get(column, "") for row, _ in lines[1:]} - {""}
        if len(values) > 1:
            what = f"the column {column} holds {some_of(sorted(values))}"
            problems.append(_fatal(path, what, "give one value for the whole data set"))
        reading[column] = min(values, default="")
    bar = reading[INFO_BAR] or "auto"
    pore_label = parse_pore_label(reading[PORE_LABEL])
    return SplitTable(rows, tuple(problems), pore_label, int(bar) if bar.isdecimal() else bar)


def _name_in(cell: str, names: Collection[str]) -> str:
    file = PurePosixPath(cell.replace("\\", "/")).name
    return file if file in names else stem_of(file)


def _fatal(path: Path, what: str, remedy: str) -> Problem:
    return Problem(path, what, remedy, fatal=True)


def sources_by_pattern(files: Mapping[str, Path], pattern: str) -> dict[str, str]:
    """Return the source of each name, by a regular expression on the image's file name.

    The expression is searched for in the stem and, where it does not occur there, in the whole file name. The
    source is the group named `source`, else the first group, else the whole match.

    Args:
        files: The image file of each name.
        pattern: `^(\\d+)_`, say, for `11_24.png` of source 11.

    Raises:
        UserError: The expression is invalid, or some files don't match it.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--group_pattern {pattern}: not a regular expression ({error})") from error
    group: str | int = "source" if "source" in expression.groupindex else min(1, expression.groups)
    sources: dict[str, str] = {}
    unmatched: list[str] = []
    for name, file in files.items():
        match = expression.search(name) or expression.search(file.name)
        source = match.group(group) if match else None
        if source:
            sources[name] = source
        else:
            unmatched.append(file.name)
    if unmatched:
        raise UserError(
            f"--group_pattern {pattern}: it does not match {len(unmatched)} of {len(files)} file names: "
            f"{some_of(unmatched)}; change the pattern, or write a {SPLIT_FILE}"
        )
    return sources


def stratified_split(
    sources: Mapping[str, SourceSize], fractions: Mapping[str, float] = DEFAULT_FRACTIONS, seed: int = 0
) -> dict[str, str]:
    """Divide sources among splits so that pixels come near to the fractions and porosities are alike.

    Sources are walked in the order of porosity, each going to the split that lacks most pixels so far, which
    spreads every split over the whole range of porosity. The walk is drawn a few times with the order slightly
    shuffled, and the draw is kept whose splits are nearest to the wanted sizes and to the overall porosity. The
    result depends on the sources and the seed only: Python keeps its generator's stream the same for ever.

    Args:
        sources: Each source's size.
        fractions: The share of pixels wanted for each split; they are taken relative to their sum.
        seed: Another one gives another split of the same kind.

    Returns:
        The split of each source; every split with a fraction above 0 has at least one source.

    Raises:
        UserError: There are fewer sources than splits.
    """
    wanted = {split: float(f) for split, f in fractions.items() if f > 0}
    if len(sources) < len(wanted):
        only = f"only one source ({next(iter(sources))})" if len(sources) == 1 else f"only {len(sources)} sources"
        raise UserError(
            f"the data set has {only}, but {' and '.join(wanted)} need one each, as a source must not be on both "
            f"sides of a split; add images of other sources, or list sources and splits in a {SPLIT_FILE}"
        )
    wanted = {split: f / sum(wanted.values()) for split, f in wanted.items()}
    draw = random.Random(seed)
    order = sorted(sources, key=lambda s: (sources[s].pore_pixels / sources[s].pixels, s))
    best: dict[str, str] = {}
    least = float("inf")
    for _ in range(_DRAWS):
        reach = 2.0 * len(wanted)
        rank = {source: i + draw.uniform(0, reach) for i, source in enumerate(order)}
        walk = sorted(order, key=lambda s: rank[s])
        split_of = _walk(walk, sources, wanted, {split: draw.random() for split in wanted})
        cost = _cost(split_of, sources, wanted)
        if cost < least:
            best, least = split_of, cost
    return {source: best[source] for source in sorted(sources)}


def _walk(
    walk: list[str], sources: Mapping[str, SourceSize], wanted: Mapping[str, float], phase: Mapping[str, float]
) -> dict[str, str]:
    """Give each source to the split that lacks most; `phase` (in mean sources) shifts where the first one falls."""
    mean = sum(s.pixels for s in sources.values()) / len(sources)
    lack = {split: phase[split] * mean for split in wanted}
    split_of: dict[str, str] = {}
    for left, source in zip(range(len(walk), 0, -1), walk, strict=True):
        pixels = sources[source].pixels
        for split in wanted:
            lack[split] += wanted[split] * pixels
        empty = [split for split in wanted if split not in split_of.values()]
        choices = empty if len(empty) == left else list(wanted)
        chosen = max(choices, key=lambda split: lack[split])
        lack[chosen] -= pixels
        split_of[source] = chosen
    return split_of


def _cost(split_of: Mapping[str, str], sources: Mapping[str, SourceSize], wanted: Mapping[str, float]) -> float:
    """Relative error of the sizes plus relative error of the porosities, squared and summed over the splits."""
    pixels = dict.fromkeys(wanted, 0)
    pore = dict.fromkeys(wanted, 0)
    for source, split in split_of.items():
        pixels[split] += sources[source].pixels
        pore[split] += sources[source].pore_pixels
    all_pixels, all_pore = sum(pixels.values()), sum(pore.values())
    cost = 0.0
    for split, fraction in wanted.items():
        cost += (pixels[split] / all_pixels - fraction) ** 2 / fraction
        if all_pore:
            cost += 0.1 * fraction * (pore[split] / pixels[split] * all_pixels / all_pore - 1) ** 2
    return cost
