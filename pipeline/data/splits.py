"""What goes to train, val and test: always by source image, never by file.

Tiles of one micrograph on both sides of a split make the validation look better than it is, so every way to a
split here works on sources: a `split.csv`, or a pattern on the file names, or each file as its own source.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.data.pairs import composed
from pipeline.data.pore_label import parse_pore_label
from pipeline.data.problems import Problem
from pipeline.data.spreadsheet import read_rows
from pipeline.errors import UserError
from pipeline.images import stem_of
from pipeline.images.rectangles import Roi
from pipeline.wording import some_of

SPLITS = ("train", "val", "test")
SPLIT_FILE = "split.csv"
COLUMNS = ("name", "source", "split")
#: a further one, where an image is cut: the part of it as x,y,width,height
PART = "part"
#: further ones, where `vlsenet prepare` was told how to read the data set: the same in all rows
PORE_LABEL, INFO_BAR = "pore_label", "info_bar"
DEFAULT_FRACTIONS = {"train": 0.8, "val": 0.2}

_DRAWS = 64


class SplitRow(NamedTuple):
    """A row of a `split.csv`: name, source and split of an image, and where it is cut, the part of it as text."""

    name: str
    source: str
    split: str
    part: str = ""


@dataclass(frozen=True)
class SplitTable:
    """The content of a `split.csv`.

    Attributes:
        rows: (source, split) of each image's name; of an image that is cut, of its first part.
        problems: What is wrong with it; those with a name that has no image can be skipped, others are fatal.
        pore_label: The value of pore in the labels that the split was made with; None where it was not given.
        info_bar: What is cut off the lower border, as for `index_dataset`.
        parts: Of the images that are cut, by name: the part of each split.
    """

    rows: dict[str, tuple[str, str]]
    problems: tuple[Problem, ...]
    pore_label: int | None = None
    info_bar: str | int = "auto"
    parts: Mapping[str, Mapping[str, Roi]] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceSize:
    """A source's labelled pixels, and how many of them are each phase, in one order for all sources."""

    pixels: int
    phase_pixels: tuple[int, ...]

    def __add__(self, other: SourceSize) -> SourceSize:
        both = zip(self.phase_pixels, other.phase_pixels, strict=True)
        return SourceSize(self.pixels + other.pixels, tuple(one + another for one, another in both))

    def area(self, phase: int) -> float:
        """Share of a phase, by its number, in the labelled pixels."""
        return self.phase_pixels[phase] / self.pixels if self.pixels and self.phase_pixels else 0.0


def read_split_csv(path: Path, names: Collection[str]) -> SplitTable:
    """Read a `split.csv`: `name,source,split`, a row for each image, in any order, with further columns allowed.

    An image that is cut has a row for each part, with its rectangle in the column `part`.
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
    parts: dict[str, dict[str, Roi]] = {}
    problems: list[Problem] = []
    for row, number in lines[1:]:
        cells = dict(zip(header, row + [""] * len(header), strict=False))
        name = _name_in(composed(cells["name"]), names)
        source, split = cells["source"], cells["split"].lower()
        at = f"line {number} ({cells['name'] or 'no name'})"
        part = _part_in(cells.get(PART, ""), path, at)
        if not name or not source:
            problems.append(_fatal(path, f"{at}: the {'source' if name else 'name'} is empty", "fill it in"))
        elif split not in SPLITS:
            what = f"{at}: the split '{cells['split']}' is unknown"
            problems.append(_fatal(path, what, f"use one of {', '.join(SPLITS)}"))
        elif part is not None and name in names and rows.setdefault(name, (source, split))[0] == source:
            parts.setdefault(name, {})[split] = part
        elif name in rows and rows[name] != (source, split):
            what = f"{at}: this image already has source {rows[name][0]}, split {rows[name][1]}"
            problems.append(_fatal(path, what, "keep one row for each image"))
        elif name not in names:
            what = f"{at}: no image or label of this name"
            problems.append(Problem(path, what, "correct the name, or remove the row", (name,)))
        else:
            rows[name] = (source, split)
    of_source: dict[str, set[str]] = {}
    for name, (source, split) in rows.items():
        if name not in parts:
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
    return SplitTable(rows, tuple(problems), pore_label, int(bar) if bar.isdecimal() else bar, parts)


def _part_in(cell: str, path: Path, at: str) -> Roi | None:
    """The part of an image that a cell names, if it names one."""
    try:
        return Roi.of(cell) if cell else None
    except UserError as error:
        raise UserError(f"{path}: {at}: the column {PART}: {error}") from error


def _name_in(cell: str, names: Collection[str]) -> str:
    if cell in names:  # which may hold a backslash
        return cell
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
    """Divide sources among splits so that pixels come near to the fractions and areas of phases are alike.

    Sources are walked in the order of porosity (with several phases, of the area of each in turn), each going to the
    split that lacks most pixels so far, which spreads every split over the whole range. The walk is drawn a few times
    with the order slightly shuffled, and the draw is kept whose splits are nearest to the wanted sizes and to the
    overall areas. The result depends on the sources and the seed only: Python keeps its generator's stream the same
    for ever.

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
    phases = max((len(size.phase_pixels) for size in sources.values()), default=0)
    orders = [sorted(sources, key=lambda s: (sources[s].area(phase), s)) for phase in range(max(1, phases))]
    best: dict[str, str] = {}
    least = float("inf")
    for number in range(_DRAWS):
        order, reach = orders[number % len(orders)], 2.0 * len(wanted)
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
    """Relative error of the sizes plus that of the phases' areas (their mean), squared and summed over the splits."""
    together = {split: _sum([sources[s] for s in split_of if split_of[s] == split]) for split in wanted}
    everything = _sum(list(sources.values()))
    cost = 0.0
    for split, fraction in wanted.items():
        size = together[split]
        cost += (size.pixels / everything.pixels - fraction) ** 2 / fraction
        for pixels, of_all in zip(size.phase_pixels, everything.phase_pixels, strict=True):
            if of_all:
                off = pixels / size.pixels * everything.pixels / of_all - 1
                cost += 0.1 * fraction * off**2 / len(everything.phase_pixels)
    return cost


def _sum(sizes: Sequence[SourceSize]) -> SourceSize:
    return reduce(add, sizes)
