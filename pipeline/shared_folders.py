"""Whether a file lies on a file system that several machines share."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
#: as the kernel names them; clients in user space are `fuse.NAME`
_SHARED = re.compile(
    r"(fuse\.)?(nfs\d?|cifs|smb\d?|lustre|gpfs|beegfs\w*|ceph\w*|gluster\w*|panfs|orangefs|afs|sshfs|wekafs|pvfs2)"
)


def shared_file_system(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of shared file system that a file is on, such as `nfs4`; None: another, or not known.

    Args:
        path: of the file, which need not be there.
        mounts: what is mounted, as Linux lists it.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return None
    place = path.resolve()
    best, kind = -1, ""
    for line in lines:
        _, point, type_, *_ = line.split(" ")
        folder = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), point))
        # of two on one folder, the later one is seen
        if (folder == place or folder in place.parents) and len(folder.parts) >= best:
            best, kind = len(folder.parts), type_
    return kind if _SHARED.fullmatch(kind) else None
