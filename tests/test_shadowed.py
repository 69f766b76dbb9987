"""Another file or folder `pipeline` in the way: ours is found all the same, or the cause is told in a line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from tests.paths import CONFIGS, ROOT


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("package", [False, True])
def test_the_package_is_found_behind_another_one(tmp_path: Path, package: bool) -> None:
    other = tmp_path / "pipeline" / "__init__.py" if package else tmp_path / "pipeline.py"
    other.parent.mkdir(exist_ok=True)
    other.write_text("print('the other one')")
    found = run("import vlsenet, pipeline.errors; print(vlsenet.__version__, pipeline.errors.__file__)", tmp_path)
    assert found.stdout.split() == [pipeline.__version__, str(ROOT / "pipeline" / "errors.py")], found.stderr
    command = run("import sys, vlsenet; sys.argv = ['vlsenet', '--version']; vlsenet.main()", tmp_path)
    assert command.stdout.strip() == f"vlsenet {pipeline.__version__}"
    wrong = run("import pipeline, vlsenet", tmp_path)
    assert f"another one is loaded already, from {other}" in wrong.stderr.splitlines()[-1]


def test_the_names_are_those_of_the_package() -> None:
    import vlsenet

    assert sorted(vlsenet.__all__) == sorted(pipeline.__all__)
    assert vlsenet.UserError is pipeline.UserError
    with pytest.raises(AttributeError):
        _ = vlsenet.lode


@pytest.mark.slow
def test_a_bundle_command_runs_beside_another_pipeline(tmp_path: Path) -> None:
    """Takes as long as MONAI's command line takes to start."""
    (tmp_path / "pipeline.py").write_text("")
    words = ["run", "--config_file", str(CONFIGS / "inference.yaml"), "--input", "none.png", "--output_dir", "out"]
    run = subprocess.run(
        [sys.executable, "-m", "monai.bundle", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert (
        run.stderr.splitlines()[-1]
        == "error: --input none.png: no such file or folder; give an image or a folder of images"
    )
