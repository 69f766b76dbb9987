"""The first step of every bundle command: is what the user asked for possible? And a command run by a program."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import monai.bundle

from pipeline.configs import config_files
from pipeline.errors import UserError, mistake_behind
from pipeline.memory import keep_freed_memory
from pipeline.options import check_options
from pipeline.workflows.bundle_command import BundleCommand
from pipeline.workflows.export import FORMATS, MANIFEST
from pipeline.workflows.ranks import Ranks
from pipeline.workflows.typed_values import as_typed

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


logger = logging.getLogger("vlsenet")

COMMON_FILE = "common.yaml"
#: what MONAI runs of a config
_STEPS = ("imports", "initialize", "run")
#: entries that this module and MONAI read by name
_READ_HERE = ("output_dir", "resume", "overwrite", "bundle_root")


def begin(command: str) -> None:
    """Check overrides and options of a bundle command; first entry of ``initialize`` in each config.

    A config given without ``common.yaml`` is restarted with it, and so is a command whose values MONAI misread.

    Args:
        command: ``train``, ``evaluate``, ``inference``, ``audit``, ``scan`` or ``export``.

    Raises:
        UserError: an unknown override, or an option that is missing or wrong.
    """
    sys.excepthook = print_user_error
    keep_freed_memory()
    if not Ranks.of_environment().is_first:  # of several processes only one logs
        logging.getLogger("vlsenet").setLevel(logging.ERROR)
    running = BundleCommand.running()
    _start_again_if_needed(running)
    running.check_overrides()
    check_options(command, running.config)
    for name in running.without_effect(_STEPS, _READ_HERE):
        logger.warning("--%s has no effect: %s does not use it", name, command)
    check_output_folder(
        command,
        str(running.config["output_dir"]),
        bool(running.config.get("resume")),
        bool(running.config.get("overwrite")),
    )


def _start_again_if_needed(running: BundleCommand) -> None:
    """Restart the command with the shared config first and its values as typed; a config can't change itself."""
    if not running.config_files:
        return
    files = list(running.config_files)
    if not any(Path(file).name == COMMON_FILE for file in files):
        common = Path(files[0]).with_name(COMMON_FILE)
        if not common.is_file():
            raise UserError(f"{files[0]}: {common} is missing; copy the bundle's {COMMON_FILE} there")
        files = [str(common), *files]
        if not running.is_run:
            raise UserError(f"{files[1]} needs {COMMON_FILE} before it: give config_file={files}")
    arguments = as_typed(running.arguments, sys.argv) if running.is_run else dict(running.arguments)
    if files != list(running.config_files) or arguments != dict(running.arguments):
        monai.bundle.run(config_file=files, **arguments)
        raise SystemExit(0)


def print_user_error(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print only the message of a user's mistake: MONAI wraps it in a traceback of a hundred lines."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return
    mistake = mistake_behind(error)
    if mistake is None:
        sys.__excepthook__(kind, error, traceback)
    elif Ranks.of_environment().is_first:  # otherwise each process would print it
        for line in str(mistake).splitlines():
            print(f"error: {line}", file=sys.stderr)


def run_config(command: str, **overrides: Any) -> None:
    """Run ``common.yaml`` and the config of a command, as ``python -m monai.bundle run`` would.

    Args:
        command: ``train``, ``evaluate``, ``inference``, ``scan``, ``audit`` or ``export``.
        overrides: config entries by name, and arguments of MONAI's ``run``.

    Raises:
        SystemExit: the command was interrupted.
        Exception: as the command raises it; :func:`pipeline.errors.mistake_behind` tells a user's mistake.
    """
    with _empty_command_line():
        try:
            monai.bundle.run(config_file=config_files(command), **overrides)
        except SystemExit as end:  # also after a command that had to start itself again
            if end.code:
                raise


@contextmanager
def _empty_command_line() -> Iterator[None]:
    """The bundle's commands look into ``sys.argv`` for what a user typed; what stands there is not meant for them."""
    typed = sys.argv
    sys.argv = typed[:1]
    try:
        yield
    finally:
        sys.argv = typed
