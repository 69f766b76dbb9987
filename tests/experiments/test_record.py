from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from pipeline.errors import UserError
from pipeline.experiments import Run, read_runs
from pipeline.experiments.record import locked


def run_in(folder, **training) -> Run:
    return Run(folder, "unet", 0, "", "", {"seed": 0, "features": (8, 16), **training}, {"split": "val"})


def test_a_record_is_read_as_written(tmp_path):
    folder = tmp_path / "unet" / "seed0"
    run = run_in(folder).resumed()
    assert (run.state, run.training_seconds, run.parameters) == ("running", 0.0, None)
    run.state, run.training_seconds = "interrupted", 12.5
    run.write()
    read = run_in(folder).resumed()
    assert read == replace(run, training={**run.training, "features": [8, 16]})
    in_fold = tmp_path / "unet" / "fold13" / "seed0"
    other = Run(in_fold, "unet", 0, "13", "abc", {}, {})
    other.write()
    assert "folder" not in (in_fold / "run.json").read_text()
    assert read_runs(tmp_path) == [other, read]
    assert run.costs() == {"training_seconds": 12.5}


def test_results_of_other_settings_are_not_taken_for_these(tmp_path):
    folder = tmp_path / "unet" / "seed0"
    run_in(folder, max_epochs=2).write()
    with pytest.raises(UserError, match="max_epochs was 2, now 3") as caught:
        run_in(folder, max_epochs=3).resumed()
    assert "--output_dir" in str(caught.value)
    with pytest.raises(UserError, match="norm was not given, now batch"):
        run_in(folder, max_epochs=2, norm="batch").resumed()


def test_a_damaged_record_is_told(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run\.json can't be read"):
        Run.read(tmp_path)


def test_a_lock_lives_as_long_as_the_process_that_inherited_it(tmp_path):
    path = tmp_path / "new" / "lock"
    with locked(path) as descriptor:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(descriptor,))
    with locked(path) as second:
        assert second is None
    child.communicate(b"\n")
    with locked(path) as third:
        assert third is not None
