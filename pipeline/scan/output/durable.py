"""Files that survive a kill and a power cut: there and whole, or not there."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import FULL_DISK, UserError


def write_error(path: Path, error: OSError) -> UserError:
    """What to tell the user when writing failed."""
    if error.errno in FULL_DISK:
        return UserError(
            f"no space left on the disk to write {path}: finished chunks are kept; "
            "free some space and run the same command again to resume"
        )
    return UserError(
        f"cannot write {path} ({error.strerror or error}): finished chunks are kept; "
        "fix this and run the same command again to resume"
    )


def sync_folder(folder: Path) -> None:
    """Put a folder's list of names onto the disk: until then, a power cut may undo a rename in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, and put them onto the disk.

    Raises:
        UserError: the folder can't be made.
    """
    missing = []
    at = folder
    while not at.is_dir() and at != at.parent:
        missing.append(at)
        at = at.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for made in reversed(missing):
            sync_folder(made.parent)
    except OSError as error:
        raise write_error(folder, error) from error


def partial_path(path: Path) -> Path:
    """Where `write_durably` writes before it renames."""
    return path.with_name(f".{path.name}.partial")


def write_durably(path: Path, data: bytes) -> None:
    """Write a file in a folder that is there; when this returns, it is on the disk under its name.

    The temporary file's name depends on `path` only, unlike `pipeline.atomic`: what a killed writer left is overwritten
    and renamed by the one who writes that file again, and no leftovers stay. Each file must have one writer at a time.

    Raises:
        UserError: the disk is full, or refuses. The earlier file, if any, stays.
    """
    temporary = partial_path(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise write_error(path, error) from error
