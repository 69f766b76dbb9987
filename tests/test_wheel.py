"""The wheel in an environment of its own, outside of the repository: it carries all that its commands need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.paths import ROOT

#: without the repository's own path, which would hide what is missing
CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel, and the dependencies of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    left_out = shutil.ignore_patterns("__pycache__")
    for name in ("pipeline", "bundle", "scripts"):
        shutil.copytree(ROOT / name, source / name, ignore=left_out)
    for name in ("setup.cfg", "pyproject.toml", "vlsenet.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run([*pip, *build], env=CLEAN, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    interpreter = folder / "venv" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    install = ["-m", "pip", "--disable-pip-version-check", "-q", "--python", str(interpreter), "install", "--no-deps"]
    subprocess.run([sys.executable, *install, str(wheel)], env=CLEAN, check=True)
    (packages,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return interpreter


@pytest.fixture
def run(python: Path, tmp_path: Path) -> Callable[..., str]:
    """Runs a program of that environment, outside of the repository, and gives what it prints."""

    def run(program: str, *words: str, folder: Path = tmp_path) -> str:
        line = [str(python.parent / program), *words]
        done = subprocess.run(line, cwd=folder, env=CLEAN, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


@pytest.mark.slow
def test_it_has_the_files_that_the_guides_name(run: Callable[..., str]) -> None:
    for line in run("vlsenet", "paths").splitlines():
        name, path = line.split(maxsplit=1)
        assert Path(path).exists(), name
        assert str(ROOT) not in path
    guides = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    names = {name for page in guides for name in re.findall(r"\b(?:bundle|scripts)/[\w./-]+\.\w+", page.read_text())}
    of_developers = {name for name in names if name.startswith("scripts/") and name.endswith(".py")}
    code = "import sys; from pipeline.bundle_files import data_file; print(*(n for n in sys.argv if not data_file(n)))"
    assert "scripts/ablation.yaml" in names
    assert run("python", "-c", code, *sorted(names - of_developers)).split() == ["-c"]


@pytest.mark.slow
def test_a_bundle_that_it_packs_runs_by_monai_and_in_python(run: Callable[..., str], tmp_path: Path) -> None:
    run("vlsenet", "bundle", "--output_dir", "out", "--name", "pores")
    with zipfile.ZipFile(next((tmp_path / "out").glob("pores_v*.zip"))) as bundle:
        bundle.extractall(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "pores" / "rock.png")
    words = ["run", "--config_file", "configs/inference.yaml", "--input", "rock.png", "--output_dir", "found"]
    run("python", "-m", "monai.bundle", *words, folder=tmp_path / "pores")
    assert Image.open(tmp_path / "pores" / "found" / "masks" / "rock.png").size == (80, 64)
    code = "import vlsenet; print(vlsenet.load('out/' + __import__('os').listdir('out')[0]).phases)"
    assert run("python", "-c", code).strip() == "('pore',)"


@pytest.mark.slow
def test_its_training_gives_a_model_that_segments_and_that_mlflow_loads(
    run: Callable[..., str], tmp_path: Path
) -> None:
    run("vlsenet", "synthetic", "rock", "--count", "3", "--size", "64,64", "--val", "1", "--test", "0")
    quick = ["max_epochs=1", "steps_per_epoch=1", "batch_size=2", "patch_size=64", "features=[8,8,16,16,32]"]
    run("vlsenet", "train", "rock", "--output_dir", "runs/first", *(word for one in quick for word in ("--set", one)))
    scan = str(min((tmp_path / "rock" / "images").iterdir()))
    run("vlsenet", "segment", scan, "--checkpoint", "runs/first/checkpoints/best.pt", "--output_dir", "found")
    assert (tmp_path / "found" / "report.html").is_file()
    code = """
import mlflow
mlflow.set_tracking_uri("sqlite:///runs/mlflow.db")
experiment = mlflow.get_experiment_by_name("vlsenet")
(run,) = mlflow.search_runs([experiment.experiment_id], output_format="list")
model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
print(model.predict(model.input_example)["mask"].shape)
"""
    assert run("python", "-c", code).strip() == "(1, 32, 32)"
