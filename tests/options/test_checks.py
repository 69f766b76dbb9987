from __future__ import annotations

from typing import Any

import pytest
import yaml

from pipeline.bundle_files import config_folder
from pipeline.errors import UserError
from pipeline.options import BUNDLE, check_options, move_to_entries, options_of

CONFIGS = config_folder()


def config_of(command: str) -> dict[str, Any]:
    """The configs of a command as they are, with nothing of what a user must give."""
    files = (CONFIGS / name for name in ("common.yaml", f"{command}.yaml"))
    return {name: value for file in files for name, value in yaml.safe_load(file.read_text()).items()}


@pytest.fixture
def train(tmp_path):
    return {**config_of("train"), "dataset_dir": str(tmp_path), "output_dir": str(tmp_path / "new" / "run")}


def test_good_options_pass_and_nothing_is_written(train, tmp_path):
    check_options("train", train)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("dataset_dir", None, "--dataset_dir is missing"),
        ("dataset_dir", "no/such/folder", "no such file or folder"),
        ("output_dir", None, "--output_dir is missing"),
        ("output_dir", "", "--output_dir is missing"),
        ("network", "unett", "vlsenet, unet"),
        ("max_epochs", 0, "whole number of at least 1"),
        ("max_epochs", "ten", "whole number"),
        ("max_epochs", 2.5, "whole number"),
        ("seed", True, "whole number"),
        ("features", [16, 32, 64, 128], "four levels and the bottleneck"),
        ("features", [1, 1, 1, 1, 1], "each 2 or more"),
        ("learning_rate", "1e-3x", "number between 0 and 1"),
        ("learning_rate", -1.0, "number between"),
        ("weight_decay", -0.1, "from 0 to 1"),
        ("cache_rate", 1.5, "from 0 to 1"),
        ("switches", False, "--switches::context false"),
        ("switches", {"context": "no"}, "--switches::context no"),
        ("pore_label", "two", "whole number"),
        ("dataset_dir", ["/", "no/such/folder"], "--dataset_dir no/such/folder: no such file or folder"),
        ("dataset_dir", [], "--dataset_dir []: no such file or folder"),
        ("phases", "pore", "'pore' is not NAME=VALUE"),
        ("unlabelled", "grey", "give the label value"),
        ("group_pattern", "(", "regular expression"),
        ("tracking_uri", "./mlruns", "sqlite:///"),
        ("resume", "yes", "must be true or false"),
        ("halo", 100, "multiple of 16"),
        ("compile", True, "default, reduce-overhead, max-autotune"),
        ("precision", "float16", "float32, bfloat16"),
        ("statistics", "scan", "micrograph, network"),
        ("flatten_shading", "yes", "true or false"),
        ("device", "gpu0", "cpu or cuda:0"),
        ("device", "cuda:97", "CUDA GPU"),
    ],
)
def test_a_wrong_option_is_told_with_its_value(train, name, value, told):
    with pytest.raises(UserError, match=f"--{name}") as caught:
        check_options("train", {**train, name: value})
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_wrong_options_are_told_at_once(train):
    with pytest.raises(UserError) as caught:
        check_options("train", {**train, "seed": -1, "preset": "huge", "dataset_dir": None})
    assert len(str(caught.value).splitlines()) == 3


def test_a_training_shorter_than_its_interval_is_validated_at_its_end(train):
    check_options("train", {**train, "max_epochs": 2, "val_interval": 3})


def test_a_wrong_address_is_named_without_its_password(train):
    with pytest.raises(UserError) as caught:
        check_options("train", {**train, "tracking_uri": "htp://ada:s3cret@rock:5000"})
    assert "htp://ada@rock:5000" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_an_expression_is_left_to_the_config(train):
    check_options("train", {**train, "max_epochs": "$10*2", "val_interval": 5})


def test_the_output_folder_may_not_be_a_file(train, tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        check_options("train", {**train, "output_dir": str(tmp_path / "taken" / "run")})


@pytest.mark.parametrize("below", ["", "run"])
def test_the_output_folder_may_not_be_a_link_that_leads_nowhere(train, tmp_path, below):
    (tmp_path / "lost").symlink_to(tmp_path / "away" / "runs")
    (tmp_path / "round").symlink_to("about")
    (tmp_path / "about").symlink_to("round")
    for link in ("lost", "round"):
        with pytest.raises(UserError, match=f"{link} is a link that leads nowhere; .* another folder"):
            check_options("train", {**train, "output_dir": str(tmp_path / link / below)})
    (tmp_path / "away" / "runs").mkdir(parents=True)
    check_options("train", {**train, "output_dir": str(tmp_path / "lost" / below)})


@pytest.mark.parametrize(
    "command", ["compare", "experiment", "rerun", "convert", "suggest", "bundle", "synthetic", *BUNDLE]
)
def test_every_output_folder_is_checked(command, tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        options_of(command)["output_dir"].check(str(tmp_path / "taken" / "below"))


def test_the_output_folder_must_be_open_to_the_user(train, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)  # for root all folders are open
    with pytest.raises(UserError, match=f"no permission to write to {tmp_path}; give another folder"):
        check_options("train", train)


def test_an_audit_is_checked_as_an_evaluation_and_its_own_options_too(tmp_path):
    (tmp_path / "best.pt").write_text("")
    folders = {"dataset_dir": str(tmp_path), "output_dir": str(tmp_path / "audit")}
    options = {**config_of("audit"), **folders, "checkpoint": str(tmp_path / "best.pt")}
    check_options("audit", options)
    with pytest.raises(UserError) as caught:
        check_options("audit", {**options, "split": "vall", "seed": -1, "tracking_uri": "./mlruns"})
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["--split", "--seed", "--tracking_uri"]


def test_the_checkpoint_must_be_a_file(tmp_path):
    options = {**config_of("evaluate"), "dataset_dir": str(tmp_path), "output_dir": str(tmp_path)}
    with pytest.raises(UserError, match="--tolerances 2: set each on its own"):
        check_options("evaluate", {**options, "checkpoint": str(tmp_path), "tolerances": 2})
    with pytest.raises(UserError, match="not a checkpoint file"):
        check_options("evaluate", {**options, "checkpoint": str(tmp_path)})
    with pytest.raises(UserError, match="no such file"):
        check_options("evaluate", {**options, "checkpoint": str(tmp_path / "best.pt")})


def test_an_option_that_is_named_alone_goes_into_the_entry_that_takes_it(train):
    config = {**train, "halo": 64, "experiment_name": "rocks", "seed": 1}
    move_to_entries(config)
    assert (config["prediction"]["halo"], config["mlflow_run"]["experiment_name"], config["seed"]) == (64, "rocks", 1)
    assert "halo" not in config
    assert "experiment_name" not in config
    with pytest.raises(UserError, match="--halo 100"):
        check_options("train", {**train, "prediction": {**train["prediction"], "halo": 100}})


def test_a_config_whose_entries_refer_to_its_options_is_left_as_it_is():
    earlier = {"prediction": {"halo": "@halo"}, "mlflow_run": {"experiment_name": "$str(@experiment_name)"}}
    config = {**earlier, "halo": 64, "experiment_name": "rocks"}
    move_to_entries(config)
    assert config == {**earlier, "halo": 64, "experiment_name": "rocks"}
