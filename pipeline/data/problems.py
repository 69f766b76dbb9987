"""What is wrong with a data set, file by file, and one error for all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import FileProblem, UserError
from pipeline.wording import some_lines

MOST_LINES = 50


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one file of a data set.

    Attributes:
        path: The file (or folder).
        what: What is wrong with it, as a clause without a full stop.
        remedy: What the user can do, as a clause without a full stop.
        names: The samples that `skip_bad` leaves out because of it; none for a problem with a text file, as
            its image and label are still good.
        fatal: Whether `skip_bad` can't go on without it (a contradictory `split.csv`, say).
    """

    path: Path
    what: str
    remedy: str
    names: tuple[str, ...] = ()
    fatal: bool = False

    @classmethod
    def of(cls, error: FileProblem, *names: str) -> Problem:
        """The problem that reading a file met, of the samples `names`."""
        return cls(error.path, error.what, error.remedy, names)

    def line(self, root: Path) -> str:
        """Return the problem as one line, its path relative to `root`."""
        path = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        # names may hold ends of lines
        return f"{path.as_posix()}: {self.what}; {self.remedy}".replace("\n", "\\n").replace("\r", "\\r")

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.remedy}"


def problems_error(root: Path, problems: Sequence[Problem], *, advice: str = "") -> UserError:
    """One error for all problems, a line each.

    Args:
        root: The data set's folder; paths in the message are relative to it.
        problems: What is wrong, in the order of the message.
        advice: A last line.
    """
    count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
    lines = [f"{root}: {count} in the data set:"]
    lines += some_lines([problem.line(root) for problem in problems], MOST_LINES)
    if advice:
        lines.append(advice)
    return UserError("\n".join(lines))
