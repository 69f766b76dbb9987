"""Locks on files, which end with the process that holds them, however that comes about."""

from __future__ import annotations

import fcntl
import functools
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError

logger = logging.getLogger("vlsenet")

#: how long a lock is waited for without a word, how often it is tried, and when it is given up (s)
_QUIET, _EVERY, PATIENCE = 5.0, 0.2, 900.0
_LOCKS = Path("/proc/locks")


def take_lock(descriptor: int, what: str, wait: bool = False, *, shared: bool = False, warns: bool = True) -> bool:
    """Lock an open file against other processes, until it is closed.

    A process that inherits the descriptor holds the lock too; it is free when the last of them has ended. On NFS the
    lock holds on all hosts, if the file is open for writing. Some file systems of clusters have no locks (Lustre
    mounted without `flock`): there the lock is taken to be free, with a warning, as nothing could tell.

    Args:
        descriptor: of the file.
        what: what it guards, for messages.
        wait: wait until it is free; the log says for whom, if that takes seconds.
        shared: with others that take it so, such as readers.
        warns: where there are no locks.

    Returns:
        Whether it is held now; False: another process holds it.

    Raises:
        UserError: it was waited for, for `PATIENCE`.
    """
    began, said = time.monotonic(), False
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                return False
        except OSError as error:
            if warns:
                _warn(what, error.strerror or str(error))
            return True
        else:
            return True
        waited = time.monotonic() - began
        if waited > PATIENCE:
            raise UserError(
                f"{what}: {_holder(descriptor)} has held its lock for {PATIENCE / 60:.0f} minutes; end that process, "
                "or wait for it, and run the same command again"
            )
        if waited > _QUIET and not said:
            said = True
            logger.warning("%s: waiting for %s, which holds its lock", what, _holder(descriptor))
        time.sleep(_EVERY)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes that hold it so; it is waited for.

    Raises:
        UserError: as `take_lock`.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        take_lock(descriptor, str(folder), wait=True, warns=False)  # NFS locks no folders
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    """The process that holds the lock of a file, as far as this machine knows it."""
    try:
        status = os.fstat(descriptor)
        place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        for line in _LOCKS.read_text(encoding="ascii").splitlines():
            words = line.split()
            if "FLOCK" in words and "->" not in words and place in words:
                number = words[words.index(place) - 1]
                command = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return f"process {number} ({command.strip()[:80]})"
    except (OSError, ValueError):  # not Linux, or it has ended just now
        pass
    return "another process"


@functools.cache
def _warn(what: str, reason: str) -> None:
    """Once for each thing."""
    logger.warning("%s can't be locked (%s): start no second process that writes there", what, reason)
