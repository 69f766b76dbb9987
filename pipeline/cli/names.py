"""Paths that a command line gives, and the folders that it doesn't name."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.errors import UserError


def existing_input(path: str) -> str:
    """The path, where there is something.

    Raises:
        UserError: nothing is there; addresses are not tried.
    """
    if "://" not in path and not Path(path).exists():
        raise UserError(f"{path}: no such file or folder; check the path")
    return path


def existing_folder(path: str) -> str:
    """The path of a data set.

    Raises:
        UserError: it is not a folder.
    """
    if not Path(path).is_dir():
        what = "it is a file" if Path(path).exists() else "no such folder"
        raise UserError(f"{path}: {what}; give a folder with images/ and labels/")
    return path


def model_in(folder: str) -> str | None:
    """The best model of a training; None where the folder is not one of a training."""
    model = Path(folder) / "checkpoints" / "best.pt"
    return str(model) if model.is_file() else None


def output_folder(path: str, suffix: str) -> str:
    """A folder in the current one, named after what goes in.

    Args:
        path: a file, a folder or an address.
        suffix: of the name.
    """
    name = path.rstrip("/").rpartition("/")[2] if "://" in path else Path(path).resolve().name
    if name.endswith(".zarr") or not Path(path).is_dir():
        name = re.sub(r"(\.ome|\.nii)?\.[^.]+$", "", name)
    return f"{name}{suffix}"
