"""A data set that nobody has divided: sources by file names, whole sources to splits, or one image cut into parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.data.checks import Record
from pipeline.data.cut import cut_parts
from pipeline.data.pairs import Pair, name_groups
from pipeline.data.samples import Sample, areas_of, split_totals
from pipeline.data.splits import SPLIT_FILE, SPLITS, SourceSize, sources_by_pattern, stratified_split
from pipeline.images import read_label
from pipeline.images.rectangles import Roi
from pipeline.phases import PORE, LabelValues

#: of what was asked for, and of the whole data set's areas
_FAR = 1 / 3


@dataclass(frozen=True)
class Division:
    """Which split each image, or each part of it, is in.

    Attributes:
        rows: Source and split by the image's name; for an image that is cut, its split does not count.
        parts: The part of each split, by the name of an image that is cut.
        notes: How it was done, for the log.
        by_source: Whether whole sources were divided anew.
    """

    rows: Mapping[str, tuple[str, str]]
    parts: Mapping[str, Mapping[str, Roi]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    by_source: bool = False

    def doubts(self, samples: Sequence[Sample], fractions: Mapping[str, float] | None) -> list[str]:
        """What a new division by source could not meet."""
        return unmet_shares(samples, fractions) if self.by_source and fractions else []


def divide_records(
    pairs: Sequence[Pair],
    records: Sequence[Record],
    values: LabelValues,
    group_pattern: str | None,
    fractions: Mapping[str, float] | None,
    seed: int,
) -> Division:
    """Divide the images of a data set by source, or the only one into parts.

    Args:
        pairs: All files of the folder, whose names must match the pattern.
        records: Those that can be used.
        values: What the labels' values mean.
        group_pattern: See `sources_by_pattern`.
        fractions: Share of the labelled pixels wanted for each split; None puts all into the split test.
        seed: Another one gives another split of the same kind.

    Raises:
        UserError: A wrong pattern, too few sources, or a single image that is too small to be cut.
    """
    if group_pattern:
        source_of = sources_by_pattern({pair.name: pair.image for pair in pairs}, group_pattern)
        note = f"sources by --group_pattern {group_pattern}"
    else:
        source_of = {pair.name: pair.name for pair in pairs}
        note = "each file counts as its own source; " + _grouping_hint(list(source_of))
    names = [record.pair.name for record in records]
    if fractions is None:
        return Division({name: (source_of[name], "test") for name in names}, notes=(note,))
    if len(records) == 1:
        return _cut(records[0], source_of[names[0]], values, fractions)
    sizes: dict[str, SourceSize] = {}
    for record in records:
        source, size = source_of[record.pair.name], size_of(record, values)
        sizes[source] = sizes[source] + size if source in sizes else size
    split_of = stratified_split(sizes, fractions, seed)
    count = Counter(split_of.values())
    divided = ", ".join(f"{count[s]} to {s}" for s in SPLITS if count[s])
    by = "porosity" if values.pores_only else "area of phases"
    notes = (note, f"split by source, stratified by {by}: {divided} of {len(split_of)} sources")
    return Division({name: (source_of[name], split_of[source_of[name]]) for name in names}, notes=notes, by_source=True)


def size_of(record: Record, values: LabelValues) -> SourceSize:
    """Labelled pixels of an image, and those of each phase."""
    labelled = sum(pixels for value, pixels in record.counts.items() if value not in values.unlabelled)
    return SourceSize(labelled, tuple(sum(record.counts.get(v, 0) for v in phase) for phase in values.values))


def _cut(record: Record, source: str, values: LabelValues, fractions: Mapping[str, float]) -> Division:
    label, height = read_label(record.pair.label), record.shape[0]
    first = record.first_row if len(label) > height else 0  # a label may be drawn without the info bar
    codes = values.codes(label[first : first + height])
    parts = cut_parts(codes, len(values.phases), fractions)
    in_order = {split: parts[split] for split in SPLITS if split in parts}
    return Division({record.pair.name: (source, next(iter(in_order)))}, {record.pair.name: in_order})


def _grouping_hint(names: Sequence[str]) -> str:
    groups = name_groups(names)
    if groups is None:
        return f"if several are parts of one micrograph, say so with --group_pattern or a {SPLIT_FILE}"
    return (
        f"but {groups}. If they are, give --group_pattern '{groups.pattern}'; otherwise neighbouring parts end up on "
        "both sides of the split"
    )


def unmet_shares(samples: Sequence[Sample], fractions: Mapping[str, float]) -> list[str]:
    """A line on splits that are far from their share of the pixels or from the areas of all; empty where none is.

    Args:
        samples: as divided.
        fractions: share of the labelled pixels that each split was to have; they are taken relative to their sum.
    """
    of_split = {split: [s for s in samples if s.split == split] for split in split_totals(samples)}
    labelled = sum(sample.labelled for sample in samples)
    everywhere = areas_of(samples)
    deviations = []
    for split, members in of_split.items():
        asked, share = fractions[split] / sum(fractions.values()), sum(s.labelled for s in members) / labelled
        if abs(share - asked) > _FAR * asked:
            deviations.append(f"{split} has {share:.1%} of the pixels instead of {asked:.0%}")
        for name, area in areas_of(members).items():
            if abs(area - everywhere[name]) > _FAR * everywhere[name]:
                what = "porosity" if name == PORE else name
                deviations.append(f"{split} has {area:.1%} {what}, all images {everywhere[name]:.1%}")
    if not deviations:
        return []
    sizes = Counter[str]()
    for sample in samples:
        sizes[sample.source] += sample.labelled
    name, largest = sizes.most_common(1)[0]
    return [
        f"the split differs from what was asked for: {'; '.join(deviations)}. Sources are not divided, and there are "
        f"{len(sizes)}, the largest ({name}) with {largest / labelled:.1%} of the pixels; try another --seed, or write "
        "split.csv by hand"
    ]
