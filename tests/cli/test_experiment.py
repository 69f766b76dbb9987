from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import experiments
from pipeline.cli.main import main
from pipeline.cluster import Pool
from pipeline.experiments import FoldPlan, Outcome, Plan


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Plan, Path, dict]]:
    calls: list[tuple[Plan, Path, dict]] = []

    def run_experiment(plan: Plan, output_dir: Path, **options: object) -> Outcome:
        calls.append((plan, output_dir, options))
        failed = ["b seed 0"] if options["retry_failed"] else []
        unfinished = ["a seed 7"] if options["seeds"] == (7,) else []
        return Outcome(failed, unfinished, output_dir / "report.html", "the table")

    monkeypatch.setattr(experiments, "run_experiment", run_experiment)
    return calls


@pytest.fixture
def plan(tmp_path: Path) -> str:
    (tmp_path / "plan.yaml").write_text("variants: {a: {}, b: {norm: batch}}\ncommon: {max_epochs: 9}")
    return str(tmp_path / "plan.yaml")


def test_options_reach_the_experiment(plan, asked, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["experiment", plan, "--output_dir", "out", "--dataset_dir", "rock", "--pore_label", "2"]
    words += ["--info_bar", "64", "--group_pattern", "^([0-9]+)_", "--skip_bad"]
    words += ["--set", "max_epochs=3", "--set", "switches::context=false", "--only", "a", "--seeds", "4,5"]
    assert main([*words, "--folds", "{leave_out: [11, 13]}", "--jobs", "2"]) == 0
    ((found, folder, options),) = asked
    assert folder == Path("out")
    assert found.folds == FoldPlan("leave_out", sources=("11", "13"))
    assert found.common == {
        "max_epochs": 3,
        "switches::context": False,
        "pore_label": 2,
        "info_bar": 64,
        "group_pattern": "^([0-9]+)_",
        "skip_bad": True,
        "dataset_dir": str(tmp_path / "rock"),
    }
    assert (options["only"], options["seeds"], options["pool"]) == (["a"], (4, 5), Pool(workers=2))
    assert capsys.readouterr().out.splitlines() == ["the table", "report: out/report.html"]


def test_failed_runs_are_named_and_end_with_status_1(plan, asked, capsys):
    assert main(["experiment", plan, "--output_dir", "out", "--dataset_dir", "rock", "--retry_failed"]) == 1
    assert "failed: b seed 0" in capsys.readouterr().out


def test_runs_that_are_not_finished_are_named_too(plan, asked, capsys):
    assert main(["experiment", plan, "--output_dir", "out", "--dataset_dir", "rock", "--seeds", "7"]) == 1
    assert "not finished: a seed 7; run the same command again to resume" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--seeds", "0,x"], "--seeds"),
        (["--seeds", "\u00b2"], "--seeds"),
        (["--folds", "some"], "--folds some: give split"),
        (["--folds", "{"], "--folds {: give split"),
        (["--set", "seed=3"], "--set seed: is set by the experiment"),
        (["--set", "max_epoch=3"], "did you mean max_epochs?"),
        (["--report"], "holds no experiment"),
    ],
)
def test_mistakes_are_one_line(plan, asked, tmp_path, capsys, options, told):
    assert main(["experiment", plan, "--output_dir", str(tmp_path / "out"), *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert told in line
    assert asked == []
    assert not (tmp_path / "out").exists()
