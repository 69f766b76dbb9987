"""Results in a folder are not overwritten unless the user asks for it."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import UserError
from pipeline.workflows.export import FORMATS, MANIFEST

#: the files that show that a command has written here, and whether the command can resume from them
_MARKS: dict[str, tuple[tuple[str, ...], bool]] = {
    "train": (("checkpoints/last.pt",), True),
    "evaluate": (("per_image.csv",), False),
    "inference": (("porosity.csv",), True),
    "audit": (("audit.csv",), False),
    "export": ((MANIFEST, *(kind.file for kind in FORMATS.values())), False),
    "scan": ((), False),  # its journal knows
}


def check_output_folder(command: str, output_dir: str, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that holds results, unless the user says what to do with them.

    Args:
        command: ``train``, ``evaluate``, ``inference``, ``audit``, ``export`` or ``scan``.
        output_dir: the folder; it need not exist.
        resume: resume from what is there.
        overwrite: replace what is there.

    Raises:
        UserError: results that would be overwritten, or nothing to resume.
    """
    marks, resumable = _MARKS[command]
    there = [mark for mark in marks if (Path(output_dir) / mark).exists()]
    if resume and command == "scan":
        raise UserError("--resume: an interrupted scan resumes without it; run the same command again without --resume")
    if resume and not resumable:
        raise UserError(f"--resume: {command} can't be resumed; --overwrite replaces earlier results")
    if resume and overwrite:
        raise UserError("--resume continues earlier results and --overwrite replaces them: give only one of them")
    if resume and not there:
        raise UserError(f"--resume: there is no {marks[0]} in {output_dir} to resume from; start without --resume")
    if there and not (resume or overwrite):
        choices = "--resume resumes from it, --overwrite replaces it" if resumable else "--overwrite replaces it"
        raise UserError(f"{output_dir} already holds {there[0]}: {choices}, or choose another --output_dir")
