from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.workflows.options import check_options

SLIDING_WINDOW = {
    "tile_size": 512,
    "tile_overlap": 0.25,
    "tile_batch": 4,
    "mirror": False,
    "precision": "auto",
    "statistics": "micrograph",
    "flatten_shading": True,
}


@pytest.fixture
def train(tmp_path):
    return {
        "dataset_dir": str(tmp_path),
        "output_dir": str(tmp_path / "new" / "run"),
        "network": "vlsenet",
        "preset": "small",
        "features": None,
        "norm": "instance",
        "text_source": "learned",
        "max_epochs": 1,
        "steps_per_epoch": 1,
        "batch_size": 8,
        "patch_size": 64,
        **SLIDING_WINDOW,
        "seed": 0,
        "compile": None,
        "num_workers": "$0 if True else 4",
        "early_stop_patience": 3,
        "picture_interval": 5,
        "val_interval": 1,
        "learning_rate": 1e-3,
        "pore_label": None,
        "group_pattern": None,
        "tracking_uri": None,
        "skip_bad": False,
        "allow_leaks": False,
        "resume": False,
        "overwrite": False,
    }


def test_good_options_pass_and_nothing_is_written(train, tmp_path):
    check_options("train", train)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("dataset_dir", None, "--dataset_dir is missing"),
        ("dataset_dir", "no/such/folder", "no such file or folder"),
        ("output_dir", None, "--output_dir is missing"),
        ("network", "unett", "vlsenet, unet"),
        ("max_epochs", 0, "whole number, 1 or more"),
        ("max_epochs", "ten", "whole number"),
        ("max_epochs", 2.5, "whole number"),
        ("seed", True, "whole number"),
        ("features", [16, 32, 64, 128], "four levels and the bottleneck"),
        ("features", [1, 1, 1, 1, 1], "2 or more each"),
        ("learning_rate", "1e-3x", "number between 0 and 1"),
        ("learning_rate", -1.0, "number between"),
        ("pore_label", "two", "whole number"),
        ("group_pattern", "(", "regular expression"),
        ("tracking_uri", "./mlruns", "sqlite:///"),
        ("resume", "yes", "switch"),
        ("tile_overlap", 1.0, "below 1"),
        ("compile", True, "default, reduce-overhead, max-autotune"),
        ("precision", "float16", "float32, bfloat16"),
        ("statistics", "scan", "micrograph, network"),
        ("flatten_shading", "yes", "true or false"),
        ("device", "gpu0", "cpu or cuda:0"),
        ("device", "cuda:97", "CUDA GPUs"),
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


def test_a_training_without_a_validation_is_refused(train):
    with pytest.raises(UserError, match="--val_interval 3"):
        check_options("train", {**train, "max_epochs": 2, "val_interval": 3})


def test_the_output_folder_may_not_be_a_file(train, tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        check_options("train", {**train, "output_dir": str(tmp_path / "taken" / "run")})


def test_the_output_folder_must_be_open_to_the_user(train, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)  # for root all folders are open
    with pytest.raises(UserError, match=f"nothing can be written into {tmp_path}; give another folder"):
        check_options("train", train)


def test_an_audit_is_checked_as_an_evaluation_and_its_own_options_too(tmp_path):
    (tmp_path / "best.pt").write_text("")
    options = {
        "dataset_dir": str(tmp_path),
        "output_dir": str(tmp_path / "audit"),
        "checkpoint": str(tmp_path / "best.pt"),
        "split": "val",
        **SLIDING_WINDOW,
        "threshold": 0.5,
        "seed": 0,
        **dict.fromkeys(("mirror", "skip_bad", "overwrite"), False),
    }
    check_options("audit", options)
    with pytest.raises(UserError) as caught:
        check_options("audit", {**options, "split": "vall", "seed": -1, "tracking_uri": "./mlruns"})
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["--split", "--seed", "--tracking_uri"]


def test_the_checkpoint_must_be_a_file(tmp_path):
    options = {
        "dataset_dir": str(tmp_path),
        "output_dir": str(tmp_path),
        "split": "val",
        **SLIDING_WINDOW,
        "threshold": 0.5,
    }
    options |= {"pore_label": None, "group_pattern": None, "skip_bad": False, "overwrite": False}
    options["tolerances"] = {"surface": 2}
    with pytest.raises(UserError, match="--tolerances 2: give each on its own"):
        check_options("evaluate", {**options, "checkpoint": str(tmp_path), "tolerances": 2})
    with pytest.raises(UserError, match="not a checkpoint file"):
        check_options("evaluate", {**options, "checkpoint": str(tmp_path)})
    with pytest.raises(UserError, match="no such file"):
        check_options("evaluate", {**options, "checkpoint": str(tmp_path / "best.pt")})
