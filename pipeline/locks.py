"""Locks on files, which end with the process that holds them, however that comes about."""

from __future__ import annotations

import fcntl
import functools
import logging

logger = logging.getLogger("vlsenet")


def take_lock(descriptor: int, what: str | None, wait: bool = False) -> bool:
    """Lock an open file against other processes, until it is closed.

    A process that inherits the descriptor holds the lock too; it is free when the last of them has ended. On NFS the
    lock holds on all hosts, if the file is open for writing. Some file systems of clusters have no locks (Lustre
    mounted without `flock`): there the lock is taken to be free, with a warning, as nothing could tell.

    Args:
        descriptor: of the file.
        what: what it guards, for the warning; None: no warning.
        wait: wait until it is free.

    Returns:
        Whether it is held now; False: another process holds it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if what is not None:
            _warn(what, error.strerror or str(error))
    return True


@functools.cache
def _warn(what: str, reason: str) -> None:
    """Once for each thing."""
    logger.warning("%s can't be locked (%s): start no second process that writes there", what, reason)
