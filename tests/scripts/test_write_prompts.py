from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "scripts" / "write_prompts.py"


@pytest.fixture
def main() -> Callable[[list[str]], int]:
    spec = importlib.util.spec_from_file_location("write_prompts", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def rock(tmp_path: Path) -> Path:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        for name in "ab":
            pixels = np.random.default_rng(0).integers(0, 255, (32, 40), np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    return tmp_path


def test_it_writes_once(main, rock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dataset_dir", str(rock), "--dry_run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("a: A scanning electron micrograph")
    assert "2 prompts would be written (1 different)" in out
    assert not (rock / "text").exists()
    assert main(["--dataset_dir", str(rock)]) == 0
    assert "2 prompts written" in capsys.readouterr().out
    assert main(["--dataset_dir", str(rock)]) == 0
    assert "0 prompts written (0 different), 2 kept" in capsys.readouterr().out


def test_mistakes_are_one_line(main, rock: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    assert main(["--dataset_dir", str(rock / "images")]) == 2
    monkeypatch.delenv("VLSENET_LLM_URL", raising=False)
    assert main(["--dataset_dir", str(rock), "--writer", "language_model"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: ") for line in lines)
    (rock / "images" / "a.png").write_bytes(b"")
    assert main(["--dataset_dir", str(rock)]) == 1
    captured = capsys.readouterr()
    assert "a.png" in captured.err
    assert "1 prompts written" in captured.out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['write_prompts.py', '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    heavy = {'numpy', 'torch', 'requests'} & set(sys.modules)\n"
        "    sys.exit(end.code or (f'loaded {heavy}' if heavy else 0))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--writer" in done.stdout
