from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest

from pipeline.cli.main import main
from pipeline.data import index_dataset, index_datasets
from pipeline.errors import UserError
from pipeline.experiments import Plan, rerun, run_experiment
from pipeline.experiments.finished_training import FinishedTraining, read_training
from pipeline.experiments.parent_run import read_mlflow
from pipeline.experiments.rerun import rerun as run_again
from pipeline.options import options_of
from pipeline.synthetic import write_dataset
from pipeline.tracking.provenance import environment
from pipeline.tracking.stores import Store

#: its store comes from a function that is no longer there
MOVED = "$pipeline.tracking.evaluations.training_store('here', False)"
CONFIG = {
    **{name: option.initial for name, option in options_of("train").items()},
    "dataset_dir": "moved away since",
    "seed": 0,
    "mlflow_run": {"run_id": "@mlflow_run_id", "default_uri": MOVED},
}
EVALUATION = {name: option.initial for name, option in options_of("evaluate").items()} | {"split": "val"}
DICE = {1: 0.5, 2: 0.75}


@pytest.fixture(scope="module")
def rock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "rock"
    write_dataset(root, 3, shape=(64, 64), seed=0, val=1, test=0)
    return root


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> str:
    return make_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def finished(store: str, rock: Path) -> str:
    """A training as MLflow keeps it."""
    client = mlflow.MlflowClient(store)
    found = client.get_experiment_by_name("rock")
    experiment = found.experiment_id if found else client.create_experiment("rock", str(rock.parent / "artifacts"))
    run_id = client.create_run(experiment, run_name="first").info.run_id
    data = index_dataset(rock).fingerprint()
    client.log_param(run_id, "dataset_dir", str(rock))
    client.log_dict(run_id, CONFIG, "config.yaml")
    client.log_dict(run_id, data, "data.json")
    client.log_dict(run_id, environment("cpu") | {"threads": 3}, "environment.json")
    client.log_dict(run_id, {"data_fingerprint": data["hash"]}, "evaluation/summary.json")
    client.log_dict(run_id, EVALUATION, "evaluation/config.yaml")
    log(client, run_id, DICE)
    client.log_metric(run_id, "evaluation_mean_dice", 0.625)
    client.log_metric(run_id, "training_seconds", 12.0)
    client.set_terminated(run_id)
    return run_id


def log(client: mlflow.MlflowClient, run_id: str, values: dict[int, float]) -> None:
    for step, value in values.items():
        client.log_metric(run_id, "val_dice", value, step=step)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, store: str) -> list[tuple[str, dict[str, Any], int]]:
    """What would have been run; the training finds the same Dice again, but for the last bit in epoch 2."""
    client, ran = mlflow.MlflowClient(store), []

    def run(command: str, config: dict[str, Any], first: FinishedTraining, folder: Path) -> None:
        ran.append((command, config, first.environment.get("threads")))
        if command == "train":
            log(client, config["mlflow_run"]["run_id"], {1: 0.5, 2: 0.75 + 2**-53})
        else:
            client.log_metric(config["mlflow_run_id"], "evaluation_mean_dice", 0.625)

    monkeypatch.setattr(rerun, "_run", run)
    return ran


def test_the_same_settings_data_and_threads_are_run_and_all_metrics_compared(tmp_path, store, finished, commands, rock):
    found = run_again(finished, store, tmp_path / "again")
    (train, trained, threads), (evaluate, evaluated, _) = commands
    assert (train, evaluate, threads) == ("train", "evaluate", 3)
    assert (trained["seed"], trained["dataset_dir"], trained["resume"]) == (0, str(rock), False)
    assert index_dataset(rock, split_csv=trained["split_csv"]).fingerprint() == index_dataset(rock).fingerprint()
    assert MOVED not in json.dumps(trained)
    assert evaluated["split"] == "val"
    assert evaluated["checkpoint"] == str(tmp_path / "again" / "checkpoints" / "best.pt")
    # the times are no matter of the comparison
    assert found.agreement.values == 3
    assert [str(one) for one in found.agreement.differences] == ["val_dice in epoch 2: 0.75 before, 0.75 now"]
    assert found.agreement.agrees
    assert not found.agreement.identical
    made = mlflow.MlflowClient(store).get_run(found.run_id)
    assert (made.data.tags["rerun_of"], made.data.tags["rerun_agrees"]) == (finished, "true")
    assert json.loads((tmp_path / "again" / "rerun.json").read_text())["agrees"] is True
    assert found.warnings == []


def test_sentences_that_nobody_asked_may_be_written_since(tmp_path, store, finished, commands, rock):
    shutil.copytree(rock, tmp_path / "rock")
    (tmp_path / "rock" / "text").mkdir()
    (name, *_) = (file.stem for file in (rock / "images").iterdir())
    (tmp_path / "rock" / "text" / f"{name}.txt").write_text("small pores")
    client = mlflow.MlflowClient(store)
    client.log_dict(finished, CONFIG | {"sentences": True}, "config.yaml")
    with pytest.raises(UserError, match=rf"trained on \(sentence of {name}\)"):
        run_again(finished, store, tmp_path / "refused", str(tmp_path / "rock"))
    client.log_dict(finished, CONFIG | {"sentences": False}, "config.yaml")
    client.log_dict(finished, EVALUATION | {"sentences": False}, "evaluation/config.yaml")
    assert run_again(finished, store, tmp_path / "again", str(tmp_path / "rock")).agreement.agrees
    (label,) = (tmp_path / "rock" / "labels").glob(f"{name}.*")
    label.write_bytes(next(file for file in (rock / "labels").iterdir() if file.stem != name).read_bytes())
    with pytest.raises(UserError, match=rf"trained on \(label of {name}\)"):
        run_again(finished, store, tmp_path / "other", str(tmp_path / "rock"))


def test_differences_beyond_the_tolerance_end_with_status_1(tmp_path, store, finished, commands, capsys):
    options = ["rerun", finished, store, "--output_dir", str(tmp_path / "again"), "--tolerance", "0"]
    assert main(options) == 1
    assert "DIFFER: of 3 values within a tolerance of 0" in capsys.readouterr().out


def test_other_code_packages_and_processors_are_told(tmp_path, store, finished, commands, caplog):
    then = environment("cpu")
    then["versions"] |= {"torch": "1.0"}
    then["packages"] |= {"scipy": "0.1", "gone": "1.0"}
    mlflow.MlflowClient(store).log_dict(finished, then | {"processor": "an abacus"}, "environment.json")
    with caplog.at_level(logging.WARNING, "vlsenet"):
        run_again(finished, store, tmp_path / "again")
    assert "torch was 1.0, now" in caplog.text
    assert "2 other packages differ: gone, scipy" in caplog.text
    assert "processor was an abacus, now" in caplog.text


def test_other_data_are_refused(tmp_path, store, finished, commands, rock):
    other = tmp_path / "other"
    shutil.copytree(rock, other)
    first, second = sorted((other / "labels").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    with pytest.raises(UserError, match=rf"not the data set.*\(label of {first.stem}\)"):
        run_again(finished, store, tmp_path / "again", str(other))
    first.unlink()
    with pytest.raises(UserError, match=r"not the data set that first was trained on: .*--dataset_dir\n"):
        run_again(finished, store, tmp_path / "again", str(other))
    assert commands == []
    assert not (tmp_path / "again").exists()


def test_data_that_are_gone_are_told_with_where_they_were(tmp_path, store, finished, commands, rock):
    mlflow.MlflowClient(store).log_dict(finished, CONFIG, "config.yaml")
    with pytest.raises(
        UserError, match=r"^\S+moved: no such folder; first was trained on data there: .*--dataset_dir$"
    ):
        run_again(finished, store, tmp_path / "again", str(tmp_path / "moved"))
    assert not (tmp_path / "again").exists()


def test_a_run_of_a_version_with_fewer_settings_is_refused_before_anything_is_written(
    tmp_path, store, finished, commands
):
    client = mlflow.MlflowClient(store)
    config = {name: value for name, value in CONFIG.items() if name != "surroundings"}
    client.log_dict(finished, config, "config.yaml")
    client.log_dict(finished, {"versions": {"vlsenet": "0.1.0 (abc)"}}, "environment.json")
    with pytest.raises(
        UserError, match=r"first was made by vlsenet 0\.1\.0 \(abc\), which had no surroundings; "
    ) as told:
        run_again(finished, store, tmp_path / "again")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "again").exists()


def test_a_name_is_enough_where_one_run_has_it(tmp_path, store, finished):
    client = mlflow.MlflowClient(store)
    client.update_run(finished, name="only")
    assert read_training(Store(store), "only").run_id == finished
    other = client.create_run(client.get_run(finished).info.experiment_id, run_name="only").info.run_id
    client.set_terminated(other)
    with pytest.raises(UserError, match=rf"2 runs have this name; .*{other}"):
        read_training(Store(store), "only")


def test_runs_that_cannot_be_repeated_are_told(tmp_path, store, finished):
    client = mlflow.MlflowClient(store)
    with pytest.raises(
        UserError, match=r"no such run in the store; give the id of one of its finished runs: \w{32} \("
    ):
        run_again("0" * 32, store, tmp_path / "again")
    stopped = client.create_run(client.get_run(finished).info.experiment_id, run_name="stopped").info.run_id
    with pytest.raises(UserError, match="stopped is RUNNING"):
        run_again(stopped, store, tmp_path / "again")
    client.set_terminated(stopped)
    with pytest.raises(UserError, match=r"stopped lacks config\.yaml"):
        run_again(stopped, store, tmp_path / "again")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(UserError, match="used is not empty"):
        run_again(finished, store, tmp_path / "used")


@pytest.fixture
def two_sets(store: str, rock: Path, tmp_path: Path) -> tuple[str, list[Path]]:
    """A training on two data sets, of which both have images of the same names, as MLflow keeps it."""
    other = tmp_path / "other"
    write_dataset(other, 4, shape=(64, 64), seed=5, val=2, test=0)
    sets = [rock, other]
    data = index_datasets(sets).fingerprint()
    client = mlflow.MlflowClient(store)
    run_id = client.create_run(client.create_experiment("two sets"), run_name="both").info.run_id
    client.log_param(run_id, "dataset_dir", ", ".join(map(str, sets)))
    client.log_dict(run_id, CONFIG | {"dataset_dir": ["rock", "other"], "data": {"phases": None}}, "config.yaml")
    client.log_dict(run_id, data, "data.json")
    log(client, run_id, DICE)
    client.set_terminated(run_id)
    return run_id, sets


def test_several_data_sets_keep_their_splits(tmp_path, store, two_sets, commands):
    run_id, sets = two_sets
    before = index_datasets(sets).fingerprint()
    (sets[1] / "split.csv").unlink()  # it would be divided otherwise
    assert index_datasets(sets).fingerprint()["hash"] != before["hash"]
    assert run_again(run_id, store, tmp_path / "again").agreement.agrees
    ((_, trained, _),) = commands
    assert trained["dataset_dir"] == [*map(str, sets)]
    again = index_datasets(trained["dataset_dir"], split_csv=trained["split_csv"])
    assert again.fingerprint() == before
    with pytest.raises(UserError, match=r"both was trained on 2 data set\(s\); give as many folders"):
        run_again(run_id, store, tmp_path / "one", str(sets[0]))
    with pytest.raises(UserError, match=r"are not the data sets that both was trained on \(order of the data sets\)"):
        run_again(run_id, store, tmp_path / "swapped", [str(path) for path in reversed(sets)])


@pytest.mark.slow
def test_a_real_training_is_the_same_to_the_last_bit(tmp_path: Path, rock: Path, make_short: Callable[[Plan], Plan]):
    plan = make_short(Plan({"vlsenet": {"switches::context": False}}, "vlsenet", common={"dataset_dir": str(rock)}))
    run_experiment(plan, tmp_path / "out", threads=1)
    first = read_mlflow(tmp_path / "out")
    (run,) = first.client.search_runs(
        [first.client.get_experiment_by_name("out").experiment_id], "tags.variant = 'vlsenet'"
    )
    found = run_again(run.info.run_id, first.tracking_uri, tmp_path / "again")
    assert found.agreement.identical, str(found.agreement)
    assert found.agreement.values > 20
