from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

import pytest

from pipeline.cluster import Pool
from pipeline.errors import UserError
from pipeline.experiments import Plan, Run
from pipeline.experiments import training_task as worker
from pipeline.experiments.record import locked
from pipeline.experiments.runner import Runner

#: stands for a training: what it does depends on the variant's name
WORKER = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("--folder") + 1])
record = json.loads((folder / "run.json").read_text())
with (folder.parents[1] / "order").open("a") as order:
    order.write(f"{record['variant']}{record['seed']} ")
print("threads", os.environ["OMP_NUM_THREADS"], "gpu", os.environ.get("CUDA_VISIBLE_DEVICES"))
if record["variant"] == "dies":
    sys.exit(3)
if record["variant"] == "stopped":
    (folder / "run.json").write_text(json.dumps(record | {"state": "interrupted"}))
    sys.exit(130)
if record["variant"] == "meets":  # ends when the other seed has begun
    while len((folder.parents[1] / "order").read_text().split()) < 2:
        time.sleep(0.01)
if record["variant"] == "killed" and not (folder / "once").exists():
    (folder / "once").touch()
    os.kill(os.getpid(), 9)
if record["variant"] == "slow":
    (folder / "sleeping").write_text(str(os.getpid()))
    time.sleep(60)
record |= {"state": "finished", "training_seconds": 90.0, "evaluation_seconds": 30.0}
if record["variant"] == "diverges":
    record |= {"state": "failed", "error": "the loss became nan"}
(folder / "run.json").write_text(json.dumps(record))
"""


@pytest.fixture(autouse=True)
def _fake_training(monkeypatch):
    monkeypatch.setattr(worker, "COMMAND", (sys.executable, "-c", WORKER))


def make(folder: Path, *variants: str, seeds=(0,), **options) -> Runner:
    runs = Plan({name: {} for name in variants}, variants[0], seeds).runs(folder)
    return Runner(runs, folder, **options)


def order(folder: Path) -> list[str]:
    return (folder / "order").read_text().split()


def log(folder: Path, variant: str) -> str:
    return (folder / variant / "seed0" / "log.txt").read_text()


def test_finished_runs_are_skipped_and_new_ones_are_done(tmp_path, caplog):
    ended = []
    runner = make(tmp_path, "a", "b", seeds=(0, 1), after_each=lambda run: ended.append(run.name))
    assert runner.run() == []
    assert order(tmp_path) == ["a0", "b0", "a1", "b1"]
    assert ended == ["a seed 0", "b seed 0", "a seed 1", "b seed 1"]
    with caplog.at_level(logging.INFO, "vlsenet"):
        assert make(tmp_path, "a", "b", "c", seeds=(0, 1), threads=3).run() == []
    assert order(tmp_path)[4:] == ["c0", "c1"]
    assert "2 of 6 runs to do" in caplog.text
    # two minutes each, from the records of the others
    assert "c seed 0: done in" in caplog.text
    assert "1 left, about 2 min" in caplog.text
    assert "threads 3" in log(tmp_path, "c")


def test_one_that_fails_does_not_stop_the_rest_and_is_named(tmp_path, caplog):
    failed = ["diverges seed 0", "dies seed 0"]
    assert make(tmp_path, "diverges", "dies", "a").run() == failed
    assert Run.read(tmp_path / "a" / "seed0").state == "finished"
    assert Run.read(tmp_path / "diverges" / "seed0").error == "the loss became nan"
    died = Run.read(tmp_path / "dies" / "seed0")
    assert died.state == "failed"
    assert "status 3" in died.error
    assert "log.txt" in died.error
    assert make(tmp_path, "diverges", "dies", "a").run() == failed
    assert len(order(tmp_path)) == 3
    assert "--retry_failed" in caplog.text
    assert make(tmp_path, "diverges", "dies", "a", retry_failed=True).run() == failed
    assert len(order(tmp_path)) == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_no_training_is_left_behind_after_an_interrupt_or_an_error(tmp_path, error):
    sleeping = tmp_path / "slow" / "seed0" / "sleeping"

    def fail(run: Run) -> None:
        deadline = time.monotonic() + 30
        while not (sleeping.exists() and sleeping.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        raise error

    with pytest.raises(error):
        make(tmp_path, "slow", "a", "b", pool=Pool(workers=2), after_each=fail).run()
    with pytest.raises(ProcessLookupError):
        os.kill(int(sleeping.read_text()), 0)
    assert sorted(order(tmp_path)) == ["a0", "slow0"]
    with locked(tmp_path / "slow" / "seed0" / ".lock") as free:
        assert free is not None
    assert Run.read(tmp_path / "slow" / "seed0").state == "running"


def test_a_run_that_was_stopped_is_not_finished(tmp_path):
    runner = make(tmp_path, "stopped", "a")
    assert runner.run() == []
    assert runner.unfinished == ["stopped seed 0"]


def test_a_training_whose_process_is_killed_goes_on(tmp_path):
    assert make(tmp_path, "killed").run() == []
    assert order(tmp_path) == ["killed0", "killed0"]


def test_runs_under_way_together_take_different_gpus(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    make(tmp_path, "meets", seeds=(0, 1), pool=Pool(workers=2)).run()
    logs = [(tmp_path / "meets" / f"seed{seed}" / "log.txt").read_text() for seed in (0, 1)]
    assert sorted(text.split()[3] for text in logs) == ["4", "7"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    make(tmp_path, "d").run()
    assert "gpu 5" in log(tmp_path, "d")


def test_a_run_of_another_process_is_left_to_it(tmp_path, caplog):
    runner = make(tmp_path, "a", "b")
    with locked(tmp_path / "a" / "seed0" / ".lock"):
        assert runner.run() == []
    assert runner.unfinished == ["a seed 0"]
    assert order(tmp_path) == ["b0"]
    assert "a seed 0 is being run by another process" in caplog.text


def test_other_settings_are_refused_before_anything_is_run(tmp_path):
    make(tmp_path, "a").run()
    path = tmp_path / "a" / "seed0" / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "training": {**record["training"], "norm": "batch"}}))
    with pytest.raises(UserError, match="norm was batch, now not given"):
        make(tmp_path, "b", "a").run()
    assert order(tmp_path) == ["a0"]
