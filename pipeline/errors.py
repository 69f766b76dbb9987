"""Errors that a user can fix, and the exit statuses of commands."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SUCCESS, MISTAKE, WRONG_USAGE = 0, 1, 2
#: by Ctrl-C, as shells have it: 128 + SIGINT
INTERRUPTED = 130


#: error numbers of a write for which there is no space, or none left to this user
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
#: error numbers of a path that the file system refuses: access rights, a link that leads nowhere, a file for a folder
_REFUSED = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ELOOP,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
)
#: letters of an error's first line
_LONGEST = 200


class UserError(Exception):
    """A mistake in what the user gave: a path, an option, an image.

    The message is for a reader who has not seen the code: it names the file or the value, and says what to do.
    Commands and scripts print it on one line (or one line per problem), without a traceback, and end with status 1.
    """


class FileProblem(UserError):
    """One file that can't be used, with the cause and the remedy kept apart for a report on many files.

    Args:
        name: the file's path, with the page of it that is meant, or an address.
        what: what is wrong with it, as a clause without a full stop.
        remedy: what the user can do, as a clause without a full stop.
    """

    def __init__(self, name: str | Path, what: str, remedy: str) -> None:
        super().__init__(f"{name}: {what}; {remedy}")
        self.name, self.what, self.remedy = name, what, remedy

    @property
    def path(self) -> Path:
        """The file's path."""
        return Path(self.name)

    def __reduce__(self) -> tuple:
        # an exception with several arguments does not unpickle by itself, and worker processes send it so
        return type(self), (self.name, self.what, self.remedy)


class SomeFailed(UserError):
    """Some of several things could not be done; the others were.

    Args:
        what: how many, for the first line.
        problems: a line for each.
        results: of the others, by name.
    """

    def __init__(self, what: str, problems: Sequence[str], results: Mapping[str, Any]) -> None:
        super().__init__("\n".join([what, *problems]))
        self.results = results


def first_line(error: BaseException) -> str:
    """What an error says, on one line: its text's first line, cut off if it is long, or its name without a text.

    Args:
        error: any error, also one of a library with a text of many lines.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_LONGEST]


def on_one_line(error: BaseException) -> str:
    """All that an error says, its lines joined, or its name where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__


def mistake_behind(error: BaseException) -> UserError | None:
    """The user's mistake that an error comes from; MONAI and Ignite wrap it in errors of their own.

    Args:
        error: as it was caught.

    Returns:
        None if it is not the user's mistake. A full disk counts as one, and a path that the file system refuses: only
        the user can make space, or change access rights.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, UserError):
            return cause
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno == errno.ENAMETOOLONG:
            return UserError(f"{cause.filename}: this name is too long for the file system; choose a shorter one")
        # SQLite, below MLflow, has errors of its own
        if (isinstance(cause, OSError) and cause.errno in FULL_DISK) or "database or disk is full" in str(cause):
            file = f" to write {cause.filename}" if isinstance(cause, OSError) and cause.filename else ""
            return UserError(
                f"no space left on the disk{file}: free some space and run the same command again "
                "(a training with --resume)"
            )
        if isinstance(cause, OSError) and cause.errno in _REFUSED and cause.filename:
            return UserError(
                f"{cause.filename}: can't be read or written ({cause.strerror}); check its access rights and those of "
                "the folders that it is in, or give another path"
            )
    return None


def print_mistake(mistake: UserError) -> None:
    """Print a user's mistake, or several, a line each, and no traceback."""
    for line in str(mistake).splitlines():
        print(f"error: {line}", file=sys.stderr)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:  # libraries make rings of them
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
