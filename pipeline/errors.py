"""Errors that a user can mend."""


class UserError(Exception):
    """A mistake in what the user gave: a path, an option, an image.

    The message is for a reader who has not seen the code: it names the file or the value, and says what to do.
    The commands print it on one line (or one line for each problem), without a traceback, and exit with status 1
    (bundle commands) or 2 (scripts, whose status 1 means that a check found something).
    """
