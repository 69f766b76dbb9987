"""From a data set's folder to its index: everything in it read and checked, with sources and splits."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.data.checks import Record, inspect_pairs
from pipeline.data.pairs import Pairing, name_groups, pair_files
from pipeline.data.pore_label import choose_pore_label, parse_pore_label
from pipeline.data.problems import Problem, problems_error
from pipeline.data.samples import DatasetIndex, Sample, split_totals
from pipeline.data.splits import (
    COLUMNS,
    DEFAULT_FRACTIONS,
    SPLIT_FILE,
    SPLITS,
    SourceSize,
    read_split_csv,
    sources_by_pattern,
    stratified_split,
)
from pipeline.errors import UserError
from pipeline.wording import some_of

#: of what was asked for, and of the whole data set's porosity
_FAR = 1 / 3


def unmet_shares(samples: Sequence[Sample], fractions: Mapping[str, float]) -> list[str]:
    """A line on splits that are far from their share of the pixels or from the porosity of all; empty where none is.

    Args:
        samples: as divided.
        fractions: share of the pixels that each split was to have; they are taken relative to their sum.
    """
    totals = split_totals(samples)
    pixels = sum(total["pixels"] for total in totals.values())
    porosity = sum(total["pore_pixels"] for total in totals.values()) / pixels
    deviations = []
    for split, total in totals.items():
        asked, share = fractions[split] / sum(fractions.values()), total["pixels"] / pixels
        if abs(share - asked) > _FAR * asked:
            deviations.append(f"{split} has {share:.1%} of the pixels instead of {asked:.0%}")
        if abs(total["porosity"] - porosity) > _FAR * porosity:
            deviations.append(f"{split} has {total['porosity']:.1%} porosity, all images {porosity:.1%}")
    if not deviations:
        return []
    sizes = Counter[str]()
    for sample in samples:
        sizes[sample.source] += sample.pixels
    name, largest = sizes.most_common(1)[0]
    return [
        f"the split differs from what was asked for: {'; '.join(deviations)}. Sources are not divided, and there are "
        f"{len(sizes)}, the largest ({name}) with {largest / pixels:.1%} of the pixels; try another --seed, or write "
        "split.csv by hand"
    ]


def index_dataset(
    dataset_dir: str | Path,
    *,
    pore_label: int | str | None = None,
    group_pattern: str | None = None,
    skip_bad: bool = False,
    divide: bool = True,
    split_csv: str | Path | None = None,
    usual_pore_label: int | None = None,
    pores: bool = True,
    info_bar: str | int = "auto",
) -> DatasetIndex:
    """Check a data set's folder and list its samples with sources and splits.

    Every file is read once, and all problems are reported together. The split comes from `split.csv` where the
    folder has one; otherwise sources come from `group_pattern`, or each file is one, and about 20 % of the pixels
    go to val, stratified by porosity, the same each time.

    Args:
        dataset_dir: A folder in one of the layouts of `pipeline.data.pairs`.
        pore_label: The label value that means pore; may be left out for masks with two values.
        group_pattern: A regular expression for the source in a file name; see `sources_by_pattern`.
        skip_bad: Whether to go on without files that have problems.
        divide: Whether to make a split where there is no `split.csv`; otherwise all samples are of the split test,
            and a single source will do.
        split_csv: A file to read in place of the folder's `split.csv`.
        usual_pore_label: The label value to take where `pore_label` is left out and this one occurs.
        pores: Whether it has to be known what pore is; otherwise the index may come without a pore label.
        info_bar: What is cut off the lower border of images and labels: `auto` (the microscope's strip of text, where
            there is one), `keep`, or its height, pixels.

    Raises:
        UserError: Anything is wrong with the folder, the options or, without `skip_bad`, any file.
    """
    root = _absolute(dataset_dir)
    split_file = root / SPLIT_FILE if split_csv is None else _absolute(split_csv)
    if split_csv is not None and not split_file.is_file():
        raise UserError(f"--split_csv {split_csv}: no such file; give one with the columns {','.join(COLUMNS)}")
    if not split_file.exists():
        fractions = DEFAULT_FRACTIONS if divide else None
        return index_with_new_split(
            root,
            fractions,
            pore_label=pore_label,
            group_pattern=group_pattern,
            skip_bad=skip_bad,
            usual_pore_label=usual_pore_label,
            info_bar=info_bar,
        )
    pairing = pair_files(root)
    table = read_split_csv(split_file, pairing.names)
    given = parse_pore_label(pore_label)
    choice = _LabelChoice(table.pore_label if given is None else given, usual_pore_label, pores)
    info_bar = table.info_bar if info_bar == "auto" else info_bar
    pairing = _restricted(pairing, table.rows, split_file.name)
    if group_pattern:
        pairing = replace(pairing, notes=(*pairing.notes, f"--group_pattern is ignored: there is a {split_file.name}"))
    pairing = replace(pairing, problems=(*table.problems, *pairing.problems))
    scan = _scan(root, pairing, choice, skip_bad, info_bar)
    return _index(root, scan, table.rows, notes=())


def index_with_new_split(
    dataset_dir: str | Path,
    fractions: Mapping[str, float] | None,
    *,
    seed: int = 0,
    pore_label: int | str | None = None,
    group_pattern: str | None = None,
    skip_bad: bool = False,
    usual_pore_label: int | None = None,
    info_bar: str | int = "auto",
) -> DatasetIndex:
    """Do as `index_dataset` does, but make a new split, whether there is a `split.csv` or not.

    Args:
        dataset_dir: As there.
        fractions: Share of the pixels wanted for each split; None puts all samples into the split test.
        seed: Another one gives another split of the same kind.
        pore_label, group_pattern, skip_bad, usual_pore_label, info_bar: As there.

    Raises:
        UserError: As there.
    """
    root = _absolute(dataset_dir)
    choice = _LabelChoice(parse_pore_label(pore_label), usual_pore_label)
    pairing = pair_files(root)
    if group_pattern:
        source_of = sources_by_pattern({pair.name: pair.image for pair in pairing.pairs}, group_pattern)
        note = f"sources by --group_pattern {group_pattern}"
    else:
        source_of = {pair.name: pair.name for pair in pairing.pairs}
        note = "each file counts as its own source; " + _grouping_hint(list(source_of))
    scan = _scan(root, pairing, choice, skip_bad, info_bar)
    pixels: Counter[str] = Counter()
    pore: Counter[str] = Counter()
    for record in scan.records:
        pixels[source_of[record.pair.name]] += record.shape[0] * record.shape[1]
        pore[source_of[record.pair.name]] += _pore_pixels(record, scan)
    if fractions is None:
        rows = {r.pair.name: (source_of[r.pair.name], "test") for r in scan.records}
        return _index(root, scan, rows, (note,))
    try:
        split_of = stratified_split({s: SourceSize(pixels[s], pore[s]) for s in pixels}, fractions, seed)
    except UserError as error:
        raise UserError(f"{root}: {error}") from error
    rows = {r.pair.name: (source_of[r.pair.name], split_of[source_of[r.pair.name]]) for r in scan.records}
    sizes = Counter(split_of.values())
    divided = ", ".join(f"{sizes[s]} to {s}" for s in SPLITS if sizes[s])
    notes = (note, f"split by source, stratified by porosity: {divided} of {len(split_of)} sources")
    index = _index(root, scan, rows, notes)
    return replace(index, notes=(*index.notes, *unmet_shares(index.samples, fractions)))


def _grouping_hint(names: Sequence[str]) -> str:
    groups = name_groups(names)
    if groups is None:
        return f"if several are parts of one micrograph, say so with --group_pattern or a {SPLIT_FILE}"
    return (
        f"but {groups}. If they are, give --group_pattern '{groups.pattern}'; otherwise neighbouring parts end up on "
        "both sides of the split"
    )


@dataclass(frozen=True)
class _LabelChoice:
    """How to know pores: the value given, that to take without, and whether they have to be known."""

    given: int | None
    usual: int | None = None
    needed: bool = True

    def among(self, counts: Mapping[Path, Mapping[int, int]], root: Path) -> int | None:
        try:
            return choose_pore_label(counts, self.given, root, self.usual)
        except UserError:
            if self.needed or self.given is not None:
                raise
            return None


@dataclass(frozen=True)
class _Scan:
    """The good records of a data set, before they have sources and splits."""

    records: tuple[Record, ...]
    pore_label: int | None
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


def _scan(root: Path, pairing: Pairing, choice: _LabelChoice, skip_bad: bool, info_bar: str | int) -> _Scan:
    """Read all pairs, and report all problems together."""
    inspection = inspect_pairs(pairing.pairs, info_bar)
    problems = (*pairing.problems, *inspection.problems)
    counts = {record.pair.label: record.counts for record in inspection.records}
    if not counts:
        raise problems_error(root, problems, advice="No usable image is left.")
    if problems and (not skip_bad or any(problem.fatal for problem in problems)):
        advice = "" if any(p.fatal for p in problems) else "Fix them, or continue without them with --skip_bad."
        try:
            choice.among(counts, root)
        except UserError as error:  # reported at once, or the user would meet it on the next run
            advice = f"{error}\n{advice}".strip()
        raise problems_error(root, problems, advice=advice)
    return _Scan(
        inspection.records,
        choice.among(counts, root),
        (*pairing.notes, *inspection.notes),
        problems,
    )


def _index(root: Path, scan: _Scan, rows: Mapping[str, tuple[str, str]], notes: tuple[str, ...]) -> DatasetIndex:
    samples = []
    for record in scan.records:
        source, split = rows[record.pair.name]
        sample = Sample(
            name=record.pair.name,
            image=record.pair.image,
            label=record.pair.label,
            source=source,
            split=split,
            prompt=record.prompt,
            shape=record.shape,
            porosity=_pore_pixels(record, scan) / (record.shape[0] * record.shape[1]),
            image_sha256=record.image_sha256,
            label_sha256=record.label_sha256,
        )
        samples.append(sample)
    notes = (*scan.notes, *notes, *_with_one_value(samples, scan.pore_label), *_same_files(samples))
    return DatasetIndex(root, tuple(samples), scan.pore_label, notes, scan.skipped)


def _pore_pixels(record: Record, scan: _Scan) -> int:
    return 0 if scan.pore_label is None else record.counts.get(scan.pore_label, 0)


def _with_one_value(samples: Sequence[Sample], pore_label: int | None) -> list[str]:
    """A label without pore, or of pore alone, may be right, or saved with other values than the others."""
    if pore_label is None:
        return []
    notes = []
    for porosity, what in ((0, "hold no pore"), (1, "mark every pixel as pore")):
        names = [sample.label.name for sample in samples if sample.porosity == porosity]
        advice = "; check how the masks were saved" if len(names) == len(samples) else ""
        if names:
            notes.append(
                f"{len(names)} of {len(samples)} label(s) {what} (value {pore_label}): {some_of(names)}{advice}"
            )
    return notes


def _same_files(samples: Sequence[Sample]) -> list[str]:
    """Warn of the cheapest leak to find; `pipeline.data.leaks` finds the others."""
    first: dict[str, Sample] = {}
    leaks = []
    for sample in samples:
        other = first.setdefault(sample.image_sha256, sample)
        if other.split != sample.split:
            leaks.append(f"{other.name} ({other.split}) = {sample.name} ({sample.split})")
    return [f"leak: the same image is in two splits: {some_of(leaks)}"] if leaks else []
