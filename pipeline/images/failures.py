"""What to tell the user of a file that can't be read, the same for every format and every command."""

from __future__ import annotations

import errno
from pathlib import Path

from pipeline.errors import FileProblem, on_one_line

COPY_AGAIN = "copy it again from the original"


def unreadable(name: str, error: Exception, where: str = "") -> FileProblem:
    """The problem behind an error of a decoder.

    Args:
        name: the file as the user gave it, or the source's name.
        error: of any type; decoders answer damaged data with errors of every type.
        where: the part that was read, with a space before it.
    """
    if isinstance(error, FileProblem):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ESTALE):
        # pixels may lie in another file, where they were decoded to
        other = error.filename is not None and Path(error.filename).name not in name
        what = "the file is gone, deleted or moved while it was read"
        return FileProblem(error.filename if other else name, what, "put it back and give the same command again")
    if isinstance(error, MemoryError):
        return FileProblem(name, f"not enough memory to read it{where}", "save it as a tiled TIFF, or cut it")
    return FileProblem(name, f"it is truncated or damaged{where} ({on_one_line(error)})", COPY_AGAIN)


def truncated(name: str, missing: int) -> FileProblem:
    """The problem of a file that ends before its pixels do, by a number of bytes."""
    return FileProblem(name, f"it is truncated ({missing} of its bytes are missing)", COPY_AGAIN)
