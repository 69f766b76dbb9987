"""Errors that a user can fix."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in what the user gave: a path, an option, an image.

    The message is for a reader who has not seen the code: it names the file or the value, and says what to do.
    Commands and scripts print it on one line (or one line per problem), without a traceback, and end with status 1.
    """


def first_line(error: BaseException, longest: int = 200) -> str:
    """What an error says, on one line: its text's first line, or its name where it has no text.

    Args:
        error: any error, also one of a library with a text of many lines.
        longest: letters at most.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:longest]


def mistake_behind(error: BaseException) -> UserError | None:
    """The user's mistake that an error comes from; MONAI and Ignite wrap it in errors of their own.

    Args:
        error: as it was caught.

    Returns:
        None if it is not the user's mistake.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
