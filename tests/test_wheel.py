"""The wheel in an environment of its own, outside of the repository: it carries all that its commands need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.paths import ROOT


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel, and the dependencies of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    left_out = shutil.ignore_patterns(".*", "tests", "docs", "benchmarks", "__pycache__", "*.egg-info", "build", "runs")
    shutil.copytree(ROOT, source, ignore=left_out)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    interpreter = folder / "venv" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    install = ["-m", "pip", "--disable-pip-version-check", "-q", "--python", str(interpreter), "install", "--no-deps"]
    subprocess.run([sys.executable, *install, str(wheel)], check=True)
    (packages,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return interpreter


@pytest.mark.slow
def test_its_commands_and_its_bundle_run(python: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*words: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    vlsenet = str(python.parent / "vlsenet")
    for line in run(vlsenet, "paths").splitlines():
        name, path = line.split(maxsplit=1)
        assert Path(path).exists(), name
        assert str(ROOT) not in path
    run(vlsenet, "bundle", "--output_dir", "out", "--name", "pores")
    with zipfile.ZipFile(next((tmp_path / "out").glob("pores_v*.zip"))) as bundle:
        bundle.extractall(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "pores" / "rock.png")
    words = ["run", "--config_file", "configs/inference.yaml", "--input", "rock.png", "--output_dir", "found"]
    run(str(python), "-m", "monai.bundle", *words, folder=tmp_path / "pores")
    assert Image.open(tmp_path / "pores" / "found" / "masks" / "rock.png").size == (80, 64)
    code = "import vlsenet; print(vlsenet.load('out/' + __import__('os').listdir('out')[0]).phases)"
    assert run(str(python), "-c", code).strip() == "('pore',)"
