"""Files that PyTorch wrote, read without running code, and in few words why one can't be."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from pipeline.bundle_files import DEFAULT_MODEL
from pipeline.errors import UserError


def load_tensors(path: str | Path, remedy: str) -> Any:
    """The content of a file that PyTorch wrote: tensors and plain values; nothing in it is executed.

    Args:
        path: the file.
        remedy: what the user can do if it can't be read.

    Raises:
        UserError: it can't be read, in one line; PyTorch's own text says how to run the code in a foreign file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's warnings on other files are for programmers
            _check_sums(path)
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of every type for foreign files
        reason = _why_unreadable(str(path), error)
        raise UserError(f"{path} can't be read as a checkpoint ({reason}); {remedy}") from error


def _check_sums(path: str | Path) -> None:
    """Refuse a file with a changed byte, which PyTorch would read as another weight."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:  # the first part whose sum is wrong
                raise zipfile.BadZipFile


def _why_unreadable(path: str, error: Exception) -> str:
    """In a few words; PyTorch's messages name internals of its reader, or how to run the code in a pickle."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    file = Path(path)
    if not file.stat().st_size:
        return "it is empty (0 bytes)"
    with file.open("rb") as stream:
        start = stream.read(200)
    if start.startswith(b"PK"):
        if isinstance(error, zipfile.BadZipFile) or not zipfile.is_zipfile(file):
            return "it is truncated or damaged; copy it again"
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()
        names = [name.rpartition("/")[2] for name in members]
        if "constants.pkl" in names:
            return "it is an exported TorchScript model"
        if "data.pkl" in names:
            return "it holds objects other than tensors"
        bundled = next((name for name in members if name.endswith(DEFAULT_MODEL)), None)
        return (
            f"it is a packed bundle: unpack it, and give its {bundled}" if bundled else "it is another kind of zip file"
        )
    if start.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer; fetch the file with `git lfs pull`"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in start):
        return "it is a text file"
    return "it is damaged, or was not written by PyTorch"
