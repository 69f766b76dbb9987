from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from monai.bundle import create_workflow

from pipeline.errors import UserError
from pipeline.workflows.bundle_command import BundleCommand

CONFIG = {
    "imports": ["$import tests.workflows.test_bundle_command as here"],
    "learning_rate": 0.1,
    "max_epochs": 3,
    "switches": {"alignment": True},
    "flip": {"_target_": "RandFlipd", "keys": "image"},
    "steps": [{"size": 1}],
    "initialize": "$here.check()",
}
seen: list[BundleCommand] = []


def check() -> None:
    command = BundleCommand.running()
    seen.append(command)
    command.check_overrides()


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    seen.clear()
    return str(path)


def start(config_file, **overrides):
    return create_workflow(config_file=config_file, workflow_type="train", **overrides)


def told(error: BaseException) -> str:
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__
    return str(error)


@pytest.mark.parametrize(
    "overrides",
    [{"max_epochs": 5}, {"switches::alignment": False}, {"flip#prob": 0.3}, {"steps::0::size": 2}, {}],
)
def test_overrides_of_what_is_there_pass(config_file, overrides):
    start(config_file, **overrides)
    assert seen[0].overrides == overrides
    assert seen[0].config_files == (config_file,)
    assert not seen[0].is_run


@pytest.mark.parametrize(
    ("name", "told_of"),
    [
        ("max_epoch", "did you mean --max_epochs?"),
        ("learning-rate", "did you mean --learning_rate?"),
        ("switches::aligment", "did you mean --switches::alignment?"),
        ("flip::probability", "did you mean --flip::prob?"),
        ("zzz", "choose from"),
    ],
)
def test_a_misspelt_override_is_refused_with_the_nearest_name(config_file, name, told_of):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - MONAI wraps it in an error of its own
        start(config_file, **{name: 1})
    assert told_of in told(caught.value)


def test_overrides_from_an_args_file_are_checked_too(config_file, tmp_path):
    args = tmp_path / "args.yaml"
    args.write_text(yaml.safe_dump({"config_file": config_file, "max_epochs": 9}))
    create_workflow(args_file=str(args), workflow_type="train")
    assert seen[0].overrides == {"max_epochs": 9}
    args.write_text(yaml.safe_dump({"config_file": config_file, "max_epoch": 9}))
    with pytest.raises(Exception) as caught:  # noqa: PT011
        create_workflow(args_file=str(args), workflow_type="train")
    assert "--max_epochs" in told(caught.value)


def test_outside_a_bundle_command_there_is_none():
    with pytest.raises(RuntimeError, match="no MONAI bundle command"):
        BundleCommand.running()


def test_overrides_that_nothing_reads(config_file):
    content = {"here": "$1", "deep": {"list": ["$f(@here, @other::part)"]}, "other": {"part": 1}, "run": ["$@deep"]}
    Path(config_file).write_text(yaml.safe_dump({**CONFIG, **content}))
    start(config_file, **{"here": 2, "other::part": 3, "max_epochs": 4, "learning_rate": 5})
    assert seen[0].without_effect(("initialize", "run"), ("learning_rate",)) == ["max_epochs"]
