"""Files that are either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


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
    # `.nii.gz` is one suffix: nibabel looks at both parts
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    stem = path.name.removesuffix(suffix)
    temporary = path.with_name(f".{stem[:80]}-{uuid4().hex[:12]}{suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
