"""The command that segments scans, as users start it: killed again and again, and in several processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _scan_data import hashes

from pipeline.workflows.scan.results import MANIFEST

_CONFIGS = Path(__file__).resolve().parents[1] / "bundle" / "configs"
_PATIENCE = 3600  # seconds that a command may take


class Command:
    """A segmentation on the CPU, in a process of its own or several.

    Args:
        scan: the file.
        model: the model file.
        folder: of the results; what the command says is written beside it.
        chunk_size: side of a chunk (px).
        processes: that torchrun starts; None: without torchrun.
        threads: of each process; None: as PyTorch chooses.
    """

    def __init__(
        self,
        scan: Path,
        model: Path,
        folder: Path,
        chunk_size: int,
        processes: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.folder, self._log = folder, folder.with_name(f"{folder.name}.log")
        configs = ["common.yaml", "scan.yaml"] + ([] if processes is None else ["multi_gpu_scan.yaml"])
        launcher = [] if processes is None else ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]
        options = {"input": scan, "output_dir": folder, "checkpoint": model, "chunk_size": chunk_size, "device": "cpu"}
        self._words = [
            *(sys.executable, *launcher, *([] if processes is None else [str(processes)])),
            *("-m", "monai.bundle", "run", "--config_file", str([str(_CONFIGS / name) for name in configs])),
            *(word for name, value in options.items() for word in (f"--{name}", str(value))),
        ]
        self._environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, in a group of processes of its own."""
        with self._log.open("wb") as log:
            return subprocess.Popen(
                self._words,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder.parent,
                env=self._environment,
            )

    def check(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for its end.

        Raises:
            SystemExit: it failed; with what it said at last.
        """
        if process.wait(_PATIENCE):
            raise SystemExit(f"the segmentation failed ({process.returncode}):\n{self._log.read_text()[-3000:]}")


def kill_and_resume(command: Command, kills: int, seed: int = 0) -> dict[str, Any]:
    """Kill a segmentation with SIGKILL at random moments, start it again, and compare what it wrote at last.

    One that reaches its end before its kill, or is killed behind it, is compared with an undisturbed one, removed, and
    started again. The clock of a kill starts when the process has written its first file, as Python's imports take far
    longer than a small scan.

    Args:
        command: the segmentation; its folder is not there yet.
        kills: how many.
        seed: of the moments.

    Returns:
        `kills`; `phases` (how many fell into which phase), `finished` (how many segmentations reached their end),
        `different` (how many of these had other bytes than the undisturbed one), `files` (compared in each) and
        `seconds` of the undisturbed one from its first file on.
    """
    random = np.random.default_rng(seed)
    process = command.start()
    _first_write(command.folder, process)
    start = time.monotonic()
    command.check(process)
    undisturbed = time.monotonic() - start
    expected = hashes(command.folder)
    shutil.rmtree(command.folder)
    phases: dict[str, int] = {}
    done = finished = different = 0
    while done < kills or command.folder.exists():
        process = command.start()
        _first_write(command.folder, process)
        # a third, so that the end is not reached at once
        if done < kills and _killed(process, random.uniform(0, undisturbed / 3)):
            done += 1
            phase = phase_of(command.folder)
            phases[phase] = phases.get(phase, 0) + 1
            print(f"kill {done} of {kills}: {phase}", flush=True)
            if phase != "end":
                continue
        else:
            command.check(process)
        finished += 1
        different += differing(expected, hashes(command.folder))
        shutil.rmtree(command.folder)
    return {
        "kills": done,
        "phases": phases,
        "finished": finished,
        "different": different,
        "files": len(expected),
        "seconds": undisturbed,
    }


def in_processes(commands: Mapping[int, Command]) -> dict[str, Any]:
    """Segment a scan by several numbers of processes.

    Args:
        commands: for each number of processes.

    Returns:
        `runs`: for each number, `seconds` of the whole command, and of the first look and the `chunks` within; and
        `different`: how many of them wrote other bytes than the first.
    """
    runs: list[dict[str, Any]] = []
    expected: dict[str, str] = {}
    different = 0
    for count, command in commands.items():
        start = time.monotonic()
        command.check(command.start())
        total = time.monotonic() - start
        inside = json.loads((command.folder / MANIFEST).read_text())["seconds_of_this_run"]
        found = hashes(command.folder)
        expected = expected or found
        different += differing(expected, found)
        runs.append({"processes": count, "seconds": total, "stages": inside})
        shutil.rmtree(command.folder)
    return {"runs": runs, "different": different, "files": len(expected)}


def differing(expected: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Whether two segmentations differ; which files do is printed."""
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if names:
        print(f"{len(names)} files differ: {', '.join(names[:8])}", flush=True)
    return bool(names)


def phase_of(folder: Path) -> str:
    """What a segmentation was at when it was killed, by what it left."""
    levels = sorted((folder / "segmentation.ome.zarr").glob("[0-9]*"), key=lambda level: int(level.name))
    counts = [_chunk_files(level) for level in levels]
    lines = sum(file.read_bytes().count(b"\n") for file in (folder / "journal").glob("chunks-*.jsonl"))
    if (folder / MANIFEST).exists():  # the last file: the process had only to leave
        return "end"
    if 2 * lines < _all_chunk_files(levels[0]):
        return "chunks"
    if counts[-1] < _all_chunk_files(levels[-1]):
        return "pyramid"
    return "results"


def _killed(process: subprocess.Popen[bytes], after: float) -> bool:
    """Kill a process after some seconds; False where it has ended before."""
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def _chunk_files(level: Path) -> int:
    return sum(1 for file in level.rglob("*") if file.is_file() and not file.name.startswith("."))


def _all_chunk_files(level: Path) -> int:
    """How many files a level has when it is whole."""
    layout = json.loads((level / ".zarray").read_text())
    return int(np.prod([-(-side // chunk) for side, chunk in zip(layout["shape"], layout["chunks"], strict=True)]))


def _first_write(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Return when a process has noted a chunk in the journal, or written what comes after the chunks, or ended."""
    before = _written(folder)
    while process.poll() is None and _written(folder) == before:
        time.sleep(0.02)


def _written(folder: Path) -> tuple[int, ...]:
    """Sizes of the journal, and number and newest change of all that is written after the chunks."""
    journal = sum(file.stat().st_size for file in (folder / "journal").glob("chunks-*.jsonl"))
    try:
        later = [file.stat().st_mtime_ns for file in folder.glob("segmentation.ome.zarr/[1-9]*/0/*/*/*/*")]
        later += [file.stat().st_mtime_ns for file in folder.glob("*") if file.is_file()]
    except FileNotFoundError:  # a file that is written is renamed: there was one
        return (journal, -1)
    return journal, len(later), max(later, default=0)
