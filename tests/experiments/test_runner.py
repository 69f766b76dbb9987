from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.experiments import Plan, Record, Runner, runner
from pipeline.experiments.record import locked

#: stands for a training: what it does depends on the variant's name
WORKER = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("--folder") + 1])
record = json.loads((folder / "run.json").read_text())
with (folder.parents[1] / "order").open("a") as order:
    order.write(f"{record['variant']}{record['seed']} ")
print("threads", os.environ["OMP_NUM_THREADS"])
if record["variant"] == "dies":
    sys.exit(3)
if record["variant"] == "slow":
    (folder / "sleeping").touch()
    time.sleep(60)
record |= {"state": "finished", "training_seconds": 90.0, "evaluation_seconds": 30.0}
if record["variant"] == "diverges":
    record |= {"state": "failed", "error": "the loss became nan"}
(folder / "run.json").write_text(json.dumps(record))
"""


@pytest.fixture(autouse=True)
def _fake_training(monkeypatch):
    monkeypatch.setattr(runner, "WORKER", (sys.executable, "-c", WORKER))
    monkeypatch.setattr(runner, "check_runs", lambda runs, configs: None)


def make(folder: Path, *variants: str, seeds=(0,), **options) -> Runner:
    runs = Plan({name: {} for name in variants}, variants[0], seeds).runs(folder)
    return Runner(runs, folder, folder, **options)


def order(folder: Path) -> list[str]:
    return (folder / "order").read_text().split()


def test_finished_runs_are_skipped_and_new_ones_are_done(tmp_path, caplog):
    tables = []
    assert make(tmp_path, "a", "b", seeds=(0, 1), after_each=lambda: tables.append(1)).run() == 0
    assert order(tmp_path) == ["a0", "b0", "a1", "b1"]
    assert len(tables) == 4
    with caplog.at_level(logging.INFO, "vlsenet"):
        assert make(tmp_path, "a", "b", "c", seeds=(0, 1), threads=3).run() == 0
    assert order(tmp_path)[4:] == ["c0", "c1"]
    assert "2 of 6 runs are left" in caplog.text
    # two minutes each, from the records of the others
    assert "c seed 0: done in" in caplog.text
    assert "1 left, about 2 min" in caplog.text
    assert "threads 3" in (tmp_path / "c" / "seed0" / "log.txt").read_text()


def test_one_that_fails_does_not_stop_the_rest(tmp_path, caplog):
    assert make(tmp_path, "diverges", "dies", "a").run() == 2
    assert Record.read(tmp_path / "a" / "seed0").state == "finished"
    assert Record.read(tmp_path / "diverges" / "seed0").error == "the loss became nan"
    died = Record.read(tmp_path / "dies" / "seed0")
    assert died.state == "failed"
    assert "status 3" in died.error
    assert "log.txt" in died.error
    assert make(tmp_path, "diverges", "dies", "a").run() == 2
    assert len(order(tmp_path)) == 3
    assert "--retry_failed" in caplog.text
    assert make(tmp_path, "diverges", "dies", "a", retry_failed=True).run() == 2
    assert len(order(tmp_path)) == 5


def test_several_at_a_time_and_an_interrupt_stops_them_all(tmp_path):
    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while not (tmp_path / "slow" / "seed0" / "sleeping").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, "slow", "a", "b", jobs=2, after_each=interrupt).run()
    assert time.monotonic() - started < 40
    assert sorted(order(tmp_path)) == ["a0", "slow0"]
    with locked(tmp_path / "slow" / "seed0" / ".lock") as free:
        assert free is not None
    assert Record.read(tmp_path / "slow" / "seed0").state == "running"


def test_a_run_of_another_process_is_left_to_it(tmp_path, caplog):
    with locked(tmp_path / "a" / "seed0" / ".lock"):
        assert make(tmp_path, "a", "b").run() == 0
    assert order(tmp_path) == ["b0"]
    assert "a seed 0 is being run by another process" in caplog.text


def test_other_settings_are_refused_before_anything_is_run(tmp_path):
    make(tmp_path, "a").run()
    path = tmp_path / "a" / "seed0" / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "training": {**record["training"], "norm": "batch"}}))
    with pytest.raises(UserError, match="norm was batch, now None"):
        make(tmp_path, "b", "a").run()
    assert order(tmp_path) == ["a0"]


@pytest.mark.parametrize(
    ("seconds", "told"), [(3, "3 s"), (89, "89 s"), (150, "2 min"), (5940, "99 min"), (15000, "4 h 10 min")]
)
def test_durations_are_told_in_fitting_units(seconds, told):
    assert runner._duration(seconds) == told
