"""What is done if the folder of results already exists."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.scan.output import Journal
from pipeline.wording import some_of
from pipeline.workflows.scan_results import FILES, JOURNAL, MANIFEST, STORE, expected_files

logger = logging.getLogger("vlsenet")

#: folders of a segmentation, beside its files; `decoded` holds what could only be decoded whole
_FOLDERS = (STORE, JOURNAL, "decoded")


def refuse_foreign(folder: Path, journal: Path) -> None:
    """Refuse a folder with files that were not written by a segmentation of a scan, and would be replaced by one.

    Raises:
        UserError: it holds such files.
    """
    if Journal.request_in(journal) is not None:
        return
    if there := [name for name in FILES if os.path.lexists(folder / name)]:
        raise UserError(
            f"{folder} holds {some_of(there, 3)}, not written by a scan's segmentation: choose another --output_dir, "
            "or give --overwrite to replace these files"
        )


def refuse_own_input(inputs: Sequence[Path], folders: Sequence[Path]) -> None:
    """Refuse results that would replace what is read, or go into it.

    Args:
        inputs: the scans, or the slices of a stack: files and Zarrs.
        folders: of the results.

    Raises:
        UserError: they would.
    """
    read = {place: path for path in inputs if (place := _place(path)) is not None}
    outputs: dict[tuple[int, int], Path] = {}
    for folder in folders:
        for part in _with_parents(folder):
            if (path := read.get(_place(part) or (0, 0))) is not None:
                raise UserError(f"{folder}: the results would go into the scan {path}; choose another --output_dir")
        if folder.is_dir():
            written = [folder / name for name in (*FILES, *_FOLDERS)]
            outputs |= {place: path for path in written if (place := _place(path)) is not None}
    if outputs:
        for path in inputs:
            for part in _with_parents(path):
                if (output := outputs.get(_place(part) or (0, 0))) is not None:
                    raise UserError(f"{path}: the results would replace it ({output}); choose another --output_dir")


def without_results(scans: Sequence[Path]) -> list[Path]:
    """The scans of a folder without what a segmentation has written among them: its overview is no scan."""
    own = [path for path in scans if path.name in (*FILES, STORE) and Journal.request_in(path.parent / JOURNAL)]
    if own:
        logger.info("skipped, as results of a segmentation: %s", some_of([path.name for path in own]))
    return [path for path in scans if path not in own]


def was_written(folder: Path, outputs: Mapping[str, Any]) -> bool:
    """Whether a finished segmentation has all its results; any that were removed are to be written again.

    Args:
        folder: of the results.
        outputs: which files are asked for (`ScanSettings.outputs`).

    Raises:
        UserError: it is finished with other outputs.
    """
    manifest = json.loads((folder / MANIFEST).read_text()) if (folder / MANIFEST).exists() else {}
    written = manifest.get("outputs", outputs)
    if wrong := [f"--{name} {written.get(name)}" for name, value in outputs.items() if written.get(name) != value]:
        raise UserError(
            f"{folder} already holds this segmentation, finished with {', '.join(wrong)}: give --overwrite to segment "
            "again, or choose another --output_dir"
        )
    names = [*expected_files(outputs, is_stack=manifest.get("volume") is not None), STORE]
    if not (missing := [name for name in names if not (folder / name).exists()]):
        return True
    logger.warning("%s: %s missing; writing the results again", folder, some_of(missing, 3))
    Journal.reopen(folder / JOURNAL)
    return False


def _place(path: Path) -> tuple[int, int] | None:
    """What identifies a file or folder, whatever its name or link; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _with_parents(path: Path) -> list[Path]:
    """A path and all folders above it, as given and with links resolved."""
    ways = path.absolute(), path.resolve()
    return list(dict.fromkeys(part for way in ways for part in (way, *way.parents)))
