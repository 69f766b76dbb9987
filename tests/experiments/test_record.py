from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.errors import UserError
from pipeline.experiments import Record, Run, read_records
from pipeline.experiments.record import locked


def run_in(folder, **training) -> Run:
    return Run("unet", 0, "", folder, {"seed": 0, "features": (8, 16), **training}, {"split": "val"})


def test_a_record_is_read_as_written(tmp_path):
    folder = tmp_path / "unet" / "seed0"
    record = Record.of(run_in(folder))
    assert (record.state, record.training_seconds, record.parameters) == ("running", 0.0, None)
    record.state, record.training_seconds = "interrupted", 12.5
    record.write(folder)
    assert Record.of(run_in(folder)) == record
    in_fold = tmp_path / "unet" / "fold13" / "seed0"
    Record("unet", 0, "13", "abc", {}, {}).write(in_fold)
    assert dict(read_records(tmp_path)) == {folder: record, in_fold: Record("unet", 0, "13", "abc", {}, {})}
    assert record.costs() == {"training_seconds": 12.5}


def test_results_of_other_settings_are_not_taken_for_these(tmp_path):
    folder = tmp_path / "unet" / "seed0"
    Record.of(run_in(folder, max_epochs=2)).write(folder)
    with pytest.raises(UserError, match="max_epochs was 2, now 3") as caught:
        Record.of(run_in(folder, max_epochs=3))
    assert "--output_dir" in str(caught.value)
    with pytest.raises(UserError, match="norm was None, now batch"):
        Record.of(run_in(folder, max_epochs=2, norm="batch"))


def test_a_damaged_record_is_told(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run\.json can't be read"):
        Record.read(tmp_path)


def test_a_lock_lives_as_long_as_the_process_that_inherited_it(tmp_path):
    path = tmp_path / "new" / "lock"
    with locked(path) as descriptor:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(descriptor,))
    with locked(path) as second:
        assert second is None
    child.communicate(b"\n")
    with locked(path) as third:
        assert third is not None
