"""Whether the numbers of two runs agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: a metric's values by epoch
Histories = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Difference:
    """The largest difference of one metric.

    Attributes:
        metric: its name.
        epoch: where it is.
        before: the value of the first run.
        now: the value of the second one.
    """

    metric: str
    epoch: int
    before: float
    now: float

    @property
    def size(self) -> float:
        return 0.0 if _same(self.before, self.now) else abs(self.now - self.before)

    def __str__(self) -> str:
        return f"{self.metric} in epoch {self.epoch}: {self.before:.9g} before, {self.now:.9g} now"


@dataclass(frozen=True)
class Agreement:
    """What a comparison found.

    Attributes:
        values: how many were compared.
        differences: the largest of each metric that differs at all, the largest first.
        missing: metrics, or epochs of a metric, that only one of the runs has.
        tolerance: largest difference that is taken as agreement.
    """

    values: int
    differences: tuple[Difference, ...]
    missing: tuple[str, ...]
    tolerance: float

    @property
    def identical(self) -> bool:
        """To the last bit."""
        return not self.differences and not self.missing and self.values > 0

    @property
    def agrees(self) -> bool:
        """Within the tolerance."""
        within = all(difference.size <= self.tolerance for difference in self.differences)
        return within and not self.missing and self.values > 0

    def __str__(self) -> str:
        if self.identical:
            return f"identical: all {self.values} values are the same to the last bit"
        if not self.values:
            return "not comparable: no metric in common"
        lines = [str(difference) for difference in self.differences[:5]]
        lines += [f"only one of the runs has {name}" for name in self.missing[:5]]
        told = f"of {self.values} values within a tolerance of {self.tolerance:g}; the largest differences:"
        return "\n  ".join([f"{'agree' if self.agrees else 'DIFFER'}: {told}", *lines])


def compare_histories(before: Histories, now: Histories, tolerance: float) -> Agreement:
    """Compare every value of every metric.

    Args:
        before: of the first run.
        now: of the second one.
        tolerance: largest difference that is taken as agreement; not numbers agree with each other only.
    """
    missing = list(before.keys() ^ now.keys())
    differences, values = [], 0
    for name in before.keys() & now.keys():
        epochs = before[name].keys() & now[name].keys()
        missing += [f"{name} in epoch {epoch}" for epoch in before[name].keys() ^ now[name].keys()]
        values += len(epochs)
        found = [
            Difference(name, epoch, before[name][epoch], now[name][epoch])
            for epoch in sorted(epochs)
            if not _same(before[name][epoch], now[name][epoch])
        ]
        if found:
            differences.append(max(found, key=_order))
    differences.sort(key=lambda difference: (-_order(difference), difference.metric))
    return Agreement(values, tuple(differences), tuple(sorted(missing)), tolerance)


def _order(difference: Difference) -> float:
    return math.inf if math.isnan(difference.size) else difference.size


def _same(before: float, now: float) -> bool:
    return before == now or (math.isnan(before) and math.isnan(now))
