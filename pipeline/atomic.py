"""Files that are either whole or not there."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

#: letters of a temporary name that are drawn
_DRAWN = 12


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Lend a temporary path beside `path`; what was written there is renamed to `path` at the end.

    Readers see the old file or the new one, never half of it, also when the writer is killed or two processes
    write the same file. The folder is made if missing. On an exception the temporary file is removed and `path`
    stays as it was.

    Args:
        path: where the file shall end up.

    Yields:
        A path with the same suffix (writers choose the format by it) in the same folder (so that the rename stays
        within one file system).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    begin, suffix = _begin_and_suffix(path)
    temporary = path.with_name(f"{begin}{uuid4().hex[:_DRAWN]}{suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def left_over(path: str | Path) -> list[Path]:
    """Temporary files of `path` whose writers were killed, or are still at work."""
    path = Path(path)
    begin, suffix = _begin_and_suffix(path)
    return sorted(path.parent.glob(glob.escape(begin) + "[0-9a-f]" * _DRAWN + glob.escape(suffix)))


def _begin_and_suffix(path: Path) -> tuple[str, str]:
    # `.nii.gz` is one suffix: nibabel looks at both parts
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    return f".{path.name.removesuffix(suffix)[:80]}-", suffix
