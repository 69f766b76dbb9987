"""How long the rest of many tasks will take, by those that ended."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable


class TimeLeft:
    """Knows how long tasks took, by their kind, such as the variant of a training."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, kind: str, seconds: float) -> None:
        """Take in a task that ended."""
        self._seconds[kind].append(seconds)

    def estimate(self, left: Iterable[str], workers: int) -> str:
        """The time left, for the log, such as `, about 3 min`; empty where nothing is left, or where nobody knows.

        Args:
            left: kinds of the tasks that wait or are under way.
            workers: how many of them run at a time.
        """
        seconds = sum(count * self._expected(kind) for kind, count in Counter(left).items()) / max(1, workers)
        return f", about {duration(seconds)}" if seconds >= 1 else ""

    def _expected(self, kind: str) -> float:
        """The mean of the same kind, or of all where it has none yet."""
        known = self._seconds.get(kind) or [value for values in self._seconds.values() for value in values]
        return sum(known) / len(known) if known else 0.0


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, in words."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
