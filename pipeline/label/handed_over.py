"""Hands an image over to `vlsenet segment`, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import IO

from pipeline.engine import Journal
from pipeline.errors import UserError
from pipeline.workflows.scan.results import JOURNAL

#: between two looks whether somebody waits for it (s)
_LOOK = 0.1
_PERCENT = re.compile(r"(\d+)%\|")


def results_folder(root: Path, image: Path, stem: str, model_sha256: str) -> Path:
    """Where an image is segmented: results of another model stay, as somebody may have corrected them.

    Args:
        root: folder of the data set.
        image: its file.
        stem: of the image.
        model_sha256: hash of the model.
    """
    for number in count(1):
        folder = root / "segmented" / (stem if number == 1 else f"{stem}_{number}")
        request = Journal.request_in(folder / JOURNAL)
        if request is None:
            return folder
        if request.get("checkpoint_sha256") == model_sha256 and request.get("scan", {}).get("name") == image.name:
            return folder
    raise AssertionError("numbers end nowhere")


def segmented(
    image: Path, model: Path, folder: Path, check: Callable[[], None], say: Callable[[str], None]
) -> list[str]:
    """Run `vlsenet segment` on an image, with its report; what it prints, line by line.

    Args:
        image: its file.
        model: its file.
        folder: of the results. What is finished there stays as it is, and what was interrupted goes on.
        check: is called again and again, and may raise to end the run.
        say: is told how far it is.

    Raises:
        UserError: it failed.
    """
    command = [sys.executable, "-m", "pipeline.cli", "segment", str(image), "--checkpoint", str(model)]
    with subprocess.Popen(
        [*command, "--output_dir", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        printed: list[str] = []
        logged: list[str] = []
        readers = [
            threading.Thread(target=_read, args=arguments, daemon=True)
            for arguments in ((process.stdout, printed, lambda _: None), (process.stderr, logged, say))
        ]
        for reader in readers:
            reader.start()
        try:
            while process.poll() is None:
                check()
                time.sleep(_LOOK)
        except BaseException:
            process.terminate()
            raise
        for reader in readers:
            reader.join()
    if process.returncode:
        lines = [line for line in logged if line.startswith("error:")]
        raise UserError((lines or logged or ["it failed"])[-1].removeprefix("error: "))
    return printed


def _read(stream: IO[str], lines: list[str], say: Callable[[str], None]) -> None:
    for line in filter(None, map(str.strip, stream)):
        lines.append(line)
        if percent := _PERCENT.search(line):
            say(f"segmenting ... {percent[1]} %")
