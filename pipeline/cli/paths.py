"""Paths that a command line gives, the folders that it doesn't name, and the model it uses if none is given."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.bundle_files import default_model, model_named
from pipeline.errors import UserError
from pipeline.files import name_that_fits
from pipeline.wording import some_of


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


def existing_folders(paths: Sequence[str]) -> str:
    """The paths of one or several data sets, as a message names them.

    Raises:
        UserError: one of them is not a folder.
    """
    return some_of([existing_folder(path) for path in paths])


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
    return name_that_fits(name, after=suffix)


VARIABLE = "VLSENET_CHECKPOINT"
_HOW = f"give --checkpoint FILE, or set the environment variable {VARIABLE}"


def find_checkpoint(given: str | None) -> tuple[str, str]:
    """The model to use: the one given, that in the environment variable, in the current folder, or in the package.

    In the current folder that is `best.pt`, or the only file that ends in .pt.

    Args:
        given: value of `--checkpoint`.

    Returns:
        The file, and in brackets where it was found; empty for the one given.

    Raises:
        UserError: there is no model, or several.
    """
    if given is not None:
        return _existing(model_named(given), "--checkpoint"), ""
    named = os.environ.get(VARIABLE)
    if named:
        return _existing(named, VARIABLE), f" ({VARIABLE})"
    if Path("best.pt").is_file():
        return "best.pt", " (in this folder)"
    there = sorted(path.name for path in Path().glob("*.pt") if path.is_file())
    if len(there) == 1:
        return there[0], " (in this folder)"
    if there:
        raise UserError(f"which model? This folder holds {', '.join(there)}; {_HOW}")
    shipped = default_model()
    if shipped is not None:
        return str(shipped), " (the default model, which comes with vlsenet)"
    raise UserError(f"no model: there is no best.pt in this folder; {_HOW} (vlsenet train writes one)")


def _existing(path: str, said_by: str) -> str:
    if Path(path).is_dir():
        raise UserError(f"{said_by} {path}: it is a folder; give {model_in(path) or 'best.pt of a training'}")
    if not Path(path).is_file():
        raise UserError(f"{said_by} {path}: no such file; give best.pt of a training")
    return path
