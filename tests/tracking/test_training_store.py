"""Where a training is kept if no store is named: side by side with its neighbours, and where it began."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.cli.compare import stores_and_runs
from pipeline.cli.main import main
from pipeline.errors import MISTAKE, UserError
from pipeline.tracking.stores import Store
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.tracking.training_link import FILE, training_store, write_training_link


def trained(folder: Path, resume: bool = False) -> str:
    """The id of a run as a training begins and links it."""
    store = training_store(str(folder), resume)
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    run = TrackedRun(None, "vlsenet", None, str(folder), {}, {}, default_uri=store)
    run.start({})
    run.finish("FINISHED")
    write_training_link(folder / "checkpoints", run.tracking_uri, str(run.run_id))
    return str(run.run_id)


def test_neighbours_share_a_store(tmp_path: Path, make_store) -> None:
    ids = [trained(tmp_path / "runs" / name) for name in ("first", "second")]
    store = f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert {run.run_id for run in Store(store).runs(["1"])} == set(ids)
    assert stores_and_runs(str(tmp_path / "runs")) == ([store], [])
    assert stores_and_runs(str(tmp_path / "runs" / "second")) == ([store], [ids[1]])
    assert stores_and_runs(str(tmp_path)) == ([store], [])
    with pytest.raises(UserError, match=r"no mlflow\.db found"):
        stores_and_runs(str(tmp_path / "runs" / "first" / "checkpoints"))


def test_a_training_goes_on_where_it_began(tmp_path: Path, make_store) -> None:
    folder = tmp_path / "runs" / "old"
    own = make_store(folder)  # as earlier versions had it
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / FILE).write_text(f'{{"tracking_uri": "{own}", "run_id": "1f"}}')
    assert training_store(str(folder), resume=True) == own
    assert training_store(str(folder), resume=False) == f"sqlite:///{tmp_path}/runs/mlflow.db"
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    assert training_store(str(moved), resume=True) == f"sqlite:///{moved}/mlflow.db"


def test_a_store_that_can_not_be_written_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "mlflow.db")
    assert training_store(str(tmp_path / "run"), False) == f"sqlite:///{tmp_path}/mlflow.db"
    (tmp_path / "mlflow.db").touch()
    assert training_store(str(tmp_path / "run"), False) == f"sqlite:///{tmp_path}/run/mlflow.db"


def test_the_pages_are_opened_on_this_machine(
    tmp_path: Path, make_store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(tmp_path / "runs" / "first")
    called: list[list[str]] = []

    class Server:  # tests/cli/test_mlflow_pages.py has one with processes
        pid = 2**30

        def __init__(self, words: list[str], **_: object) -> None:
            called.append(words)

        def poll(self) -> int:
            return 0

        wait = poll

    monkeypatch.setattr("pipeline.cli.mlflow_pages.subprocess.Popen", Server)
    assert main(["mlflow", str(tmp_path / "runs" / "first"), "--port", "5005"]) == 0
    (words,) = called
    assert words[2:4] == ["mlflow", "ui"]
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--port") + 1] == "5005"
    assert words[-1] == f"sqlite:///{tmp_path}/runs/mlflow.db"
    monkeypatch.chdir(tmp_path / "runs")
    assert main(["mlflow"]) == 0
    assert called[1][-1] == words[-1]
    assert main(["mlflow", str(tmp_path / "runs" / "first" / "checkpoints")]) == MISTAKE
    assert "no mlflow.db found" in capsys.readouterr().err
