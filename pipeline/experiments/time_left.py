"""How long the rest of an experiment will take, by the runs so far."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.experiments.record import Record


class TimeLeft:
    """Knows how long finished runs took, by variant."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def note(self, record: Record, wall: float = 0.0) -> None:
        """Take in a finished run.

        Args:
            record: what is known of it.
            wall: seconds that its process took just now, with its start; 0 for one of an earlier call.
        """
        if record.training_seconds is not None and record.evaluation_seconds is not None:
            seconds = max(wall, record.training_seconds + record.evaluation_seconds)  # it may have had several parts
            self._seconds.setdefault(record.variant, []).append(seconds)

    def told(self, waiting: Iterable[str], under_way: Iterable[tuple[str, float]], jobs: int) -> str:
        """For the log; empty where nothing is left, or where what is left takes longer than anything did so far.

        Args:
            waiting: variants of the runs that wait.
            under_way: variant and seconds so far of those that run.
            jobs: runs at a time.
        """
        left = sum(map(self._expected, waiting))
        left += sum(max(0.0, self._expected(variant) - so_far) for variant, so_far in under_way)
        seconds = left / jobs
        return f", about {duration(seconds)}" if seconds >= 1 else ""

    def _expected(self, variant: str) -> float:
        """Those of the same variant, or of all where it has none yet."""
        known = self._seconds.get(variant) or [value for values in self._seconds.values() for value in values]
        return sum(known) / len(known) if known else 0.0


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, in words."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
