"""Which model a command uses if none is given."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.cli.names import model_in
from pipeline.errors import UserError

VARIABLE = "VLSENET_CHECKPOINT"
_HOW = f"give --checkpoint FILE, or set the environment variable {VARIABLE}"


def find_checkpoint(given: str | None) -> tuple[str, str]:
    """The model to use: the one given, the one in the environment variable, or the one in the current folder.

    In the current folder that is `best.pt`, or the only file that ends in .pt.

    Args:
        given: value of `--checkpoint`.

    Returns:
        The file, and in brackets where it was found; empty for the one given.

    Raises:
        UserError: there is no model, or several.
    """
    if given is not None:
        return _existing(given, "--checkpoint"), ""
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
    raise UserError(f"no model: there is no best.pt in this folder; {_HOW} (vlsenet train writes one)")


def _existing(path: str, said_by: str) -> str:
    if Path(path).is_dir():
        raise UserError(f"{said_by} {path}: it is a folder; give {model_in(path) or 'best.pt of a training'}")
    if not Path(path).is_file():
        raise UserError(f"{said_by} {path}: no such file; give best.pt of a training")
    return path
