from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from monai.bundle import ConfigWorkflow, create_workflow

from pipeline.bundle_files import config_files
from pipeline.errors import UserError
from pipeline.workflows import CheckedWorkflow, running_config
from pipeline.workflows.bundle_workflow import check_names

COMMON = {"imports": ["$import tests.workflows.test_bundle_workflow as here"]}
CONFIG = {
    "command": "export",
    "output_dir": "none",
    "checkpoint": "$",  # the checks leave expressions alone
    "formats": ["onnx"],
    "prompt": "pore",
    "text_inputs": False,
    "threshold": 0.5,
    "resume": False,
    "overwrite": False,
    "switches": {"alignment": True},
    "flip": {"_target_": "RandFlipd", "keys": "image"},
    "steps": [{"size": 1}],
    "halo": 128,
    "initialize": "$here.note()",
    "run": "$here.note()",
}
seen: list[dict[str, Any]] = []


def note() -> None:
    seen.append(running_config())


@pytest.fixture
def config_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "common.yaml").write_text(yaml.safe_dump(COMMON))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    seen.clear()
    return str(tmp_path / "config.yaml")


def start(config_file, **overrides):
    return create_workflow(workflow_name=CheckedWorkflow, config_file=config_file, logging_file=False, **overrides)


@pytest.mark.parametrize(
    "overrides",
    [{"prompt": "crack"}, {"switches::alignment": False}, {"flip#prob": 0.3}, {"steps::0::size": 2}, {}],
)
def test_overrides_of_what_is_there_pass(config_file, overrides):
    workflow = start(config_file, **overrides)
    workflow.run()
    assert len(seen) == 2
    assert workflow.overrides == overrides
    assert seen[0]["prompt"] == seen[1]["prompt"] == overrides.get("prompt", "pore")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("prompd", "did you mean --prompt?"),
        ("text-inputs", "did you mean --text_inputs?"),
        ("switches::aligment", "did you mean --switches::alignment?"),
        ("flip::probability", "did you mean --flip::prob?"),
        ("zzz", "choose from"),
    ],
)
def test_a_misspelt_override_is_refused_with_the_nearest_name(config_file, name, hint):
    with pytest.raises(UserError) as caught:
        start(config_file, **{name: 1})
    assert hint in str(caught.value)
    assert not seen


def test_an_option_of_an_entry_is_known_by_its_name_alone():
    check_names(["halo", "stack", "settings::roi"], config_files("scan"))
    with pytest.raises(UserError, match="unknown option --hallo; did you mean --halo"):
        check_names(["hallo"], config_files("scan"))


def test_overrides_from_an_args_file_are_checked_too(config_file, tmp_path):
    args = tmp_path / "args.yaml"
    args.write_text(yaml.safe_dump({"config_file": config_file, "logging_file": False, "prompt": "crack"}))
    assert create_workflow(workflow_name=CheckedWorkflow, args_file=str(args)).overrides == {"prompt": "crack"}
    args.write_text(yaml.safe_dump({"config_file": config_file, "prompd": 9}))
    with pytest.raises(UserError, match="--prompt"):
        create_workflow(workflow_name=CheckedWorkflow, args_file=str(args))


def test_values_are_checked_before_anything_runs(config_file):
    with pytest.raises(UserError, match="--threshold 2"):
        start(config_file, threshold=2)
    assert not seen


def test_the_shared_file_must_be_there(config_file, tmp_path):
    (tmp_path / "common.yaml").unlink()
    with pytest.raises(UserError, match=r"common\.yaml is missing"):
        start(config_file)


def test_a_config_must_say_whose_options_it_has(config_file):
    with pytest.raises(UserError, match="unknown command 'frob': choose from train"):
        start(config_file, command="frob")


def test_a_config_of_the_first_version_is_told_so(config_file):
    earlier = {name: value for name, value in CONFIG.items() if name != "command"}
    Path(config_file).write_text(yaml.safe_dump(earlier))
    with pytest.raises(UserError, match=r"config\.yaml: no line `command: .*vlsenet paths"):
        start(config_file)


def test_an_option_of_other_commands_has_no_effect_and_says_so(config_file, caplog):
    start(config_file, halo=256, prompt="crack")
    assert [record.getMessage() for record in caplog.records if record.name == "vlsenet"] == [
        "--halo has no effect: export does not use it"
    ]


def test_by_monais_own_class_a_config_is_not_to_be_seen(config_file, tmp_path):
    files = [str(tmp_path / "common.yaml"), config_file]
    with pytest.raises(RuntimeError) as caught:
        ConfigWorkflow(files, logging_file=False).initialize()
    cause = caught.value.__cause__
    assert isinstance(cause, UserError)
    assert "workflow_name='pipeline.workflows.bundle_workflow.CheckedWorkflow'" in str(cause)
    with pytest.raises(UserError):
        running_config()
