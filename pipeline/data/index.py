"""From a data set's folder to its index: everything in it read and checked, with sources and splits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.data.checks import Record, inspect_pairs
from pipeline.data.label_choice import LabelChoice
from pipeline.data.new_split import Division, divide_records
from pipeline.data.pairs import Pairing, pair_files
from pipeline.data.problems import Problem, problems_error
from pipeline.data.samples import DatasetIndex, Sample
from pipeline.data.splits import COLUMNS, DEFAULT_FRACTIONS, SPLIT_FILE, read_split_csv
from pipeline.data.strokes import stroke_question
from pipeline.errors import UserError
from pipeline.images.rectangles import Roi, Rows
from pipeline.phases import LabelValues
from pipeline.wording import some_of


def index_dataset(
    dataset_dir: str | Path,
    *,
    pore_label: int | str | None = None,
    phases: str | None = None,
    unlabelled: int | str | None = None,
    group_pattern: str | None = None,
    skip_bad: bool = False,
    divide: bool = True,
    split_csv: str | Path | None = None,
    usual: LabelValues | None = None,
    pores: bool = True,
    info_bar: str | int = "auto",
    own_first: bool = False,
) -> DatasetIndex:
    """Check a data set's folder and list its samples with sources and splits.

    Every file is read once, and all problems are reported together. The split comes from `split.csv` where the
    folder has one; otherwise sources come from `group_pattern`, or each file is one, and about 20 % of the pixels
    go to val, stratified by the areas of the phases, the same each time. A single image is cut into two parts.

    Args:
        dataset_dir: A folder in one of the layouts of `pipeline.data.pairs`.
        pore_label: The label value that means pore, the only phase; may be left out for masks with two values, and
            where the folder has a `phases.csv`.
        phases: The phases and their label values, as in `pore=2, silt grain=1`, in place of those of `phases.csv`.
        unlabelled: The label values of pixels about which nothing is known, such as 255; `none` where there are none.
        group_pattern: A regular expression for the source in a file name; see `sources_by_pattern`.
        skip_bad: Whether to go on without files that have problems.
        divide: Whether to make a split where there is no `split.csv`; otherwise all samples are of the split test,
            and a single source will do.
        split_csv: A file to read in place of the folder's `split.csv`.
        usual: What label values mean where nothing else says it, and they occur.
        pores: Whether it has to be known what the phases are; otherwise the index may come without any.
        info_bar: What is cut off the lower border of images and labels: `auto` (the microscope's strip of text, where
            there is one), `keep`, or its height, pixels.
        own_first: Whether what the folder remembers of its labels decides before the options.

    Raises:
        UserError: Anything is wrong with the folder, the options or, without `skip_bad`, any file.
    """
    root = _absolute(dataset_dir)
    split_file = root / SPLIT_FILE if split_csv is None else _absolute(split_csv)
    if split_csv is not None and not split_file.is_file():
        raise UserError(f"--split_csv {split_csv}: no such file; give one with the columns {','.join(COLUMNS)}")
    choice = LabelChoice.of(phases, pore_label, unlabelled, usual=usual, needed=pores, own_first=own_first)
    if not split_file.exists():
        fractions = DEFAULT_FRACTIONS if divide else None
        return _newly_divided(root, fractions, 0, replace(choice, needed=True), group_pattern, skip_bad, info_bar)
    pairing = pair_files(root)
    table = read_split_csv(split_file, pairing.names)
    info_bar = table.info_bar if info_bar == "auto" else info_bar
    pairing = _restricted(pairing, table.rows, split_file.name)
    if group_pattern:
        pairing = replace(pairing, notes=(*pairing.notes, f"--group_pattern is ignored: there is a {split_file.name}"))
    pairing = replace(pairing, problems=(*table.problems, *pairing.problems))
    scan = _scan(root, pairing, choice, skip_bad, info_bar, table.pore_label)
    return _index(root, scan, Division(table.rows, table.parts))


def index_with_new_split(
    dataset_dir: str | Path,
    fractions: Mapping[str, float] | None,
    *,
    seed: int = 0,
    pore_label: int | str | None = None,
    phases: str | None = None,
    unlabelled: int | str | None = None,
    group_pattern: str | None = None,
    skip_bad: bool = False,
    usual: LabelValues | None = None,
    info_bar: str | int = "auto",
) -> DatasetIndex:
    """Do as `index_dataset` does, but make a new split, whether there is a `split.csv` or not.

    Args:
        dataset_dir: As there.
        fractions: Share of the pixels wanted for each split; None puts all samples into the split test.
        seed: Another one gives another split of the same kind.
        pore_label, phases, unlabelled, group_pattern, skip_bad, usual, info_bar: As there.

    Raises:
        UserError: As there.
    """
    choice = LabelChoice.of(phases, pore_label, unlabelled, usual=usual)
    return _newly_divided(_absolute(dataset_dir), fractions, seed, choice, group_pattern, skip_bad, info_bar)


def _newly_divided(
    root: Path,
    fractions: Mapping[str, float] | None,
    seed: int,
    choice: LabelChoice,
    group_pattern: str | None,
    skip_bad: bool,
    info_bar: str | int,
) -> DatasetIndex:
    pairing = pair_files(root)
    scan = _scan(root, pairing, choice, skip_bad, info_bar)
    try:
        division = divide_records(pairing.pairs, scan.records, scan.values, group_pattern, fractions, seed)
    except UserError as error:
        raise UserError(f"{root}: {error}") from error
    index = _index(root, scan, division)
    return replace(index, notes=(*index.notes, *division.doubts(index.samples, fractions)))


@dataclass(frozen=True)
class _Scan:
    """The good records of a data set, before they have sources and splits."""

    records: tuple[Record, ...]
    values: LabelValues
    notes: tuple[str, ...]
    skipped: tuple[Problem, ...]


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


def _restricted(pairing: Pairing, rows: Mapping[str, tuple[str, str]], split_file: str) -> Pairing:
    """Leave out what `split.csv` does not name: a user may list a part of a folder."""
    left_out = sorted(pairing.names - rows.keys())
    notes = pairing.notes
    if left_out:
        notes += (f"{len(left_out)} image(s) are not in {split_file} and skipped: {some_of(left_out)}",)
    return Pairing(
        tuple(pair for pair in pairing.pairs if pair.name in rows),
        tuple(problem for problem in pairing.problems if rows.keys() & problem.names),
        notes,
    )


def _scan(
    root: Path,
    pairing: Pairing,
    choice: LabelChoice,
    skip_bad: bool,
    info_bar: str | int,
    remembered: int | None = None,
) -> _Scan:
    """Read all pairs, and report all problems together."""
    inspection = inspect_pairs(pairing.pairs, info_bar)
    problems = (*pairing.problems, *inspection.problems)
    if not inspection.records:
        raise problems_error(root, problems, advice="No usable image is left.")
    if problems and (not skip_bad or any(problem.fatal for problem in problems)):
        advice = "" if any(p.fatal for p in problems) else "Fix them, or continue without them with --skip_bad."
        try:
            _meaning(root, inspection.records, choice, remembered)
        except UserError as error:  # reported at once, or the user would meet it on the next run
            advice = f"{error}\n{advice}".strip()
        raise problems_error(root, problems, advice=advice)
    values, said = _meaning(root, inspection.records, choice, remembered)
    records = [record for record in inspection.records if _labelled(record.counts, values)]
    empty = [record.pair for record in inspection.records if not _labelled(record.counts, values)]
    notes = (
        (f"without a labelled pixel, and left out: {some_of([pair.label.name for pair in empty])}",) if empty else ()
    )
    return _Scan(tuple(records), values, (*pairing.notes, *inspection.notes, *said, *notes), problems)


def _meaning(
    root: Path, records: Sequence[Record], choice: LabelChoice, remembered: int | None
) -> tuple[LabelValues, tuple[str, ...]]:
    """What the labels' values mean, and notes on it.

    Raises:
        UserError: It can't be known; or the labels look like strokes, and nothing was said of the value 0.
    """
    marked = [record for record in records if set(record.counts) - {0}]
    strokes = [record.pair.label for record in marked if record.strokes]
    share = sum(n for r in marked for v, n in r.counts.items() if v) / max(
        1, sum(sum(r.counts.values()) for r in marked)
    )
    question = stroke_question(root, strokes, len(marked), share)
    try:
        values, notes = choice.among({record.pair.label: record.counts for record in records}, root, remembered)
    except UserError as error:
        raise UserError(f"{error}\n{question}".strip()) from error
    if question and 0 not in values.named:
        raise UserError(question)
    return values, notes


def _labelled(counts: Mapping[int, int], values: LabelValues) -> int:
    return sum(pixels for value, pixels in counts.items() if value not in values.unlabelled)


def _index(root: Path, scan: _Scan, division: Division) -> DatasetIndex:
    samples = [sample for record in scan.records for sample in _samples(root, record, scan.values, division)]
    found = (*_of_one_value(samples), *_same_files(samples), *_of_one_micrograph(samples))
    return DatasetIndex((root,), tuple(samples), (scan.values,), (*scan.notes, *division.notes, *found), scan.skipped)


def _samples(root: Path, record: Record, values: LabelValues, division: Division) -> list[Sample]:
    """The sample of an image, or those of its parts."""
    source, split = division.rows[record.pair.name]
    whole = Sample(
        name=record.pair.name,
        image=record.pair.image,
        label=record.pair.label,
        source=source,
        split=split,
        prompt=record.prompt,
        shape=record.shape,
        values=values,
        labelled=_labelled(record.counts, values),
        phase_pixels=_phase_pixels(record.counts, values),
        image_sha256=record.image_sha256,
        label_sha256=record.label_sha256,
        dataset=root.name,
        imaged=Rows(record.first_row, record.first_row + record.shape[0]),
    )
    parts = division.parts.get(record.pair.name, {})
    return [_part(whole, split, part) for split, part in parts.items()] or [whole]


def _phase_pixels(counts: Mapping[int, int], values: LabelValues) -> dict[str, int]:
    return {
        name: sum(counts.get(value, 0) for value in of_phase)
        for name, of_phase in zip(values.names, values.values, strict=True)
    }


def _part(whole: Sample, split: str, part: Roi) -> Sample:
    """A part of an image.

    Raises:
        UserError: It reaches beyond the image.
    """
    height, width = whole.shape
    if part.x + part.width > width or part.y + part.height > height:
        raise UserError(f"{whole.image}: the part {part} of {SPLIT_FILE} reaches beyond its {width}x{height} pixels")
    cut = replace(whole, name=f"{whole.name}_{split}", split=split, shape=(part.height, part.width), part=part)
    found, pixels = np.unique(cut.read_label(), return_counts=True)
    counts = {int(value): int(count) for value, count in zip(found, pixels, strict=True)}
    labelled, of_phases = _labelled(counts, whole.values), _phase_pixels(counts, whole.values)
    return replace(cut, labelled=labelled, phase_pixels=of_phases)


def _of_one_micrograph(samples: Sequence[Sample]) -> list[str]:
    names = sorted({sample.source for sample in samples if sample.part is not None})
    if not names:
        return []
    return [
        f"{some_of(names)} is cut into parts: it is validated on the same micrograph as it is trained on, so scores do "
        "not say how good the model is on another one"
    ]


def _of_one_value(samples: Sequence[Sample]) -> list[str]:
    """A label without a phase, or of one alone, may be right, or saved with other values than the others."""
    if not samples or len(samples[0].values.phases) != 1:
        return []
    (name,), (values,) = samples[0].values.names, samples[0].values.values
    notes = []
    for area, what in ((0, f"hold no {name}"), (1, f"mark every pixel as {name}")):
        names = [sample.label.name for sample in samples if sample.areas[name] == area]
        advice = "; check how the masks were saved" if len(names) == len(samples) else ""
        if names:
            shown = "+".join(map(str, values))
            notes.append(f"{len(names)} of {len(samples)} label(s) {what} (value {shown}): {some_of(names)}{advice}")
    return notes


def _same_files(samples: Sequence[Sample]) -> list[str]:
    """Warn of the cheapest leak to find; `pipeline.data.leaks` finds the others."""
    first: dict[str, Sample] = {}
    leaks = []
    for sample in samples:
        other = first.setdefault(sample.image_sha256, sample)
        if other.split != sample.split and not (sample.part and other.part):
            leaks.append(f"{other.name} ({other.split}) = {sample.name} ({sample.split})")
    return [f"leak: the same image is in two splits: {some_of(leaks)}"] if leaks else []
