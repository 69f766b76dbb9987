"""What the numbered names of a stack's slices say: which are missing, double, or of another series."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from pipeline.wording import some_of

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
#: share of the neighbours that are one step apart, from which other distances are gaps
_LEAST_REGULAR = 0.5
#: missing numbers that are counted one by one
_MOST_MISSING = 10_000


def doubts_of_names(names: Sequence[str]) -> list[str]:
    """What is doubtful about slices, by their names, as clauses.

    Args:
        names: of the files, with suffix; nothing is said of fewer than three, or where no name has a number.
    """
    if len(names) < 3:
        return []
    series: dict[str, list[str]] = {}
    for name in names:
        series.setdefault(_NUMBER.sub("0", _stem(name).casefold()), []).append(name)
    largest = max(series.values(), key=len)
    if len(largest) < 3:
        return []
    others = [name for name in names if name not in set(largest)]
    doubts = []
    if others:
        verb = "is" if len(others) == 1 else "are"
        doubts.append(
            f"{some_of(others, 3)} {verb} not numbered as the other slices ({largest[0]} ...), but taken for "
            f"{'a slice' if len(others) == 1 else 'slices'}: move away what is none"
        )
    return doubts + _doubts_of_series(largest)


def _doubts_of_series(names: Sequence[str]) -> list[str]:
    numbers = _counting(names)
    of_number: dict[Decimal, list[str]] = {}
    for name, number in zip(names, numbers, strict=True):
        of_number.setdefault(number, []).append(name)
    if double := [" and ".join(same) for same in of_number.values() if len(same) > 1]:
        return [f"slices with the same number: {some_of(double, 3)}; keep one of each"]
    ordered = sorted(of_number)
    step, regular = _step(ordered)
    gaps = [(a, b) for a, b in pairwise(ordered) if b - a > step and (b - a) % step == 0]
    if regular < _LEAST_REGULAR or not gaps:
        return []
    count = int(sum((b - a) / step - 1 for a, b in gaps))
    where = [f"between {of_number[a][0]} and {of_number[b][0]}" for a, b in gaps]
    missing = "1 slice seems" if count == 1 else f"{count if count < _MOST_MISSING else 'many'} slices seem"
    return [
        f"{missing} to be missing, {some_of(where, 3)}: volumes and connections are computed as if there were no gap; "
        "add them, or segment the parts as stacks of their own"
    ]


def _counting(names: Sequence[str]) -> list[Decimal]:
    """Of the numbers in each name, the one that counts the slices: none twice if possible, with the most regular step.

    Names may hold a date, a time or a position beside it.
    """
    fields = list(zip(*(map(Decimal, _NUMBER.findall(_stem(name))) for name in names), strict=True))
    return list(max(fields, key=lambda field: (len(set(field)), _step(sorted(set(field)))[1])))


def _step(ordered: Sequence[Decimal]) -> tuple[Decimal, float]:
    """The most common distance of neighbours, and the share of neighbours that have it."""
    distances = Counter(b - a for a, b in pairwise(ordered))
    if not distances:
        return Decimal(1), 0.0
    step = min(distances, key=lambda distance: (-distances[distance], distance))
    return step, distances[step] / sum(distances.values())


def _stem(name: str) -> str:
    return re.sub(r"(\.ome|\.nii)?\.[a-z]\w*$", "", name, flags=re.IGNORECASE)
