"""What a split was asked to be, and is not: sources stay whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.data.samples import Sample, split_totals

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
    told = []
    for split, total in totals.items():
        asked, share = fractions[split] / sum(fractions.values()), total["pixels"] / pixels
        if abs(share - asked) > _FAR * asked:
            told.append(f"{split} has {share:.1%} of the pixels instead of {asked:.0%}")
        if abs(total["porosity"] - porosity) > _FAR * porosity:
            told.append(f"{split} has {total['porosity']:.1%} porosity, all images {porosity:.1%}")
    if not told:
        return []
    sizes = Counter[str]()
    for sample in samples:
        sizes[sample.source] += sample.pixels
    name, largest = sizes.most_common(1)[0]
    return [
        f"the split differs from what was asked for: {'; '.join(told)}. Sources are not divided, and there are "
        f"{len(sizes)}, the largest ({name}) with {largest / pixels:.1%} of the pixels; try another --seed, or write "
        "split.csv by hand"
    ]
