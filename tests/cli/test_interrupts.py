from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import INTERRUPTED
from tests.interrupts import heed_interrupts
from tests.paths import ROOT

#: a library as PyTorch's: an exception that comes while it is loaded aborts the process
ABORTS = """
import os, signal, time
os.kill(os.getpid(), signal.SIGINT)
try:
    time.sleep(20)
except KeyboardInterrupt:
    os.abort()
"""
#: a library that takes any exception for a missing package
SWALLOWS = ABORTS.replace("os.abort()", "raise ImportError('no package')")


def _ends_at_once(folder: Path, library: str, code: str) -> None:
    """A command that loads this library, which stops the process, ends with one line."""
    (folder / f"{library}.py").write_text(code)
    (folder / "scan.png").write_bytes(b"x" * 100)
    _ends(folder, "-m", "pipeline.cli", "info", "scan.png")


@pytest.mark.parametrize("library", ["argparse", "logging", "torch", "numpy", "PIL"])
@pytest.mark.parametrize("code", [ABORTS, SWALLOWS])
def test_ctrl_c_while_a_library_is_loaded(library: str, code: str, tmp_path: Path) -> None:
    _ends_at_once(tmp_path, library, code)


def test_a_kill_is_as_ctrl_c(tmp_path: Path) -> None:
    _ends_at_once(tmp_path, "numpy", SWALLOWS.replace("SIGINT", "SIGTERM"))


def _ends(folder: Path, *arguments: str) -> None:
    """What Python is given ends as a command that was interrupted."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=heed_interrupts,
    )
    assert (done.returncode, done.stderr) == (INTERRUPTED, "interrupted\n")


def test_ctrl_c_while_an_object_is_removed_is_not_lost(tmp_path: Path) -> None:
    code = """
import os, signal, time
from pipeline.cli.console import run_command

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

def command():
    Last()
    time.sleep(20)
    return 0

sys.exit(run_command(command))
"""
    _ends(tmp_path, "-c", f"import sys; sys.argv[0] = 'vlsenet'\n{code}")  # taken for the command


def test_ctrl_c_while_a_library_is_loaded_leaves_no_temporary_files(tmp_path: Path) -> None:
    """Such as an MLflow store, during whose making its migrations are loaded."""
    (tmp_path / "slow.py").write_text(ABORTS)
    code = """
from pathlib import Path
import pipeline.cli
from pipeline.files import atomic_path

with atomic_path(Path("table.csv")) as partial:
    partial.write_text("half")
    import slow
"""
    _ends(tmp_path, "-c", f"import sys; sys.argv[0] = 'vlsenet'\n{code}")  # taken for the command
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["slow.py"]


def test_ctrl_c_is_left_to_a_program_that_imports_the_commands() -> None:
    code = """
import signal, pipeline.cli.main
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60, preexec_fn=heed_interrupts)
