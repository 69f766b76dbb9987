from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from tests.paths import ROOT

SCRIPT = ROOT / "scripts" / "make_synthetic.py"


@pytest.fixture(scope="module")
def command() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_synthetic", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(command: ModuleType, *arguments: str) -> int:
    return command.main([str(argument) for argument in arguments])


def test_help_shows_an_example_and_imports_nothing_heavy():
    code = (
        f"import sys, runpy; sys.argv = ['make_synthetic.py', '--help']\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'numpy', 'scipy', 'torch', 'pipeline'} & sys.modules.keys()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "example:" in result.stdout
    assert "--porosity" in result.stdout


def test_it_writes_what_it_is_told(command, tmp_path):
    out = tmp_path / "set"
    status = run(
        command, "--output_dir", out, "--count", 3, "--size", 80, 96, "--porosity", 0.2, "--anisotropy", 0.5, 0.6,
        "--orientation", 30, "--pixel_size", 5, "--val", 1, "--test", 1, "--info_bar", "--seed", 9,
    )  # fmt: skip
    assert status == 0
    assert len(list((out / "images").glob("*.png"))) == 3
    label = np.asarray(Image.open(out / "labels" / "sem_0001.png"))
    assert label.shape == (80, 96)
    assert (label[:-12] > 0).mean() == pytest.approx(0.2, abs=1e-3)
    truth = (out / "truth.csv").read_text()
    assert '""orientation_deg"": 30.0' in truth
    assert '""pixel_size_nm"": 5.0' in truth
    assert '""info_bar"": true' in truth


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--porosity", "0.9"], "porosity must be a range"),
        (["--size", "10", "10"], "at least 64 pixels"),
        (["--count", "2", "--val", "2"], "leave none of 2 for training"),
        (["--pixel_size", "0"], "pixel_size_nm must be above 0"),
    ],
)
def test_mistakes_are_one_line_and_status_1(command, tmp_path, capsys, arguments, message):
    assert run(command, "--output_dir", tmp_path / "set", *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--porosity", "0.1", "0.2", "0.3"], "--porosity takes one or two numbers, got 3"),
        (["--count", "many"], "invalid int value: 'many'"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(command, tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        run(command, "--output_dir", tmp_path / "set", *arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("make_synthetic.py: error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "set").exists()


def test_a_full_folder_is_replaced_only_when_asked(command, tmp_path, capsys):
    arguments = ["--output_dir", tmp_path, "--count", 1, "--size", 64, 64, "--val", 0, "--test", 0]
    assert run(command, *arguments) == 0
    assert run(command, *arguments) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run(command, *arguments, "--overwrite", "--seed", 1) == 0
