from __future__ import annotations

import argparse

import pytest
from monai.bundle import ConfigParser

from pipeline.bundle_files import text_of_config
from pipeline.cli.bundle_commands import TRAIN
from pipeline.cli.overrides import overrides
from pipeline.cli.parser import CommandParser
from pipeline.errors import UserError


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("learning_rate=1e-3", 0.001),
        ("learning_rate=2.5E+1", 25.0),
        ("max_epochs=40", 40),
        ("features=[8, 16]", [8, 16]),
        ("switches::alignment=false", False),
        ("run_name=a=b", "a=b"),
        ("run_name='5'", "5"),
        ("tracking_uri=null", None),
    ],
)
def test_values_are_yaml(assignment: str, value: object) -> None:
    found = overrides(argparse.Namespace(set=[assignment]), "train")
    assert found == {assignment.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("max_epochs", "--set max_epochs=VALUE"),
        ("max_epoch=3", "did you mean max_epochs?"),
        ("swiches::context=false", "did you mean switches::context?"),
        ("qwzx=3", "see the options in train.yaml"),
        ("features=[8", "is not valid YAML"),
    ],
)
def test_wrong_assignments_are_refused(assignment: str, told: str) -> None:
    with pytest.raises(UserError) as refused:
        overrides(argparse.Namespace(set=[assignment]), "train")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    "text", ["a#b", "$1 + 1", "@checkpoint", "%file", "a@::b", "50%::2", "$'x'\\n\n\"#é孔", "#", "pore"]
)
def test_text_is_what_was_typed_also_where_monai_would_read_it_as_its_own(text: str) -> None:
    parser = ConfigParser(overrides(argparse.Namespace(set=[], prompt=text), "scan"))
    parser["shown"] = "$'<' + str(@prompt) + '>'"
    assert parser.get_parsed_content("prompt") == text
    assert parser.get_parsed_content("shown") == f"<{text}>"


def test_one_folder_is_text_and_several_are_a_list():
    parser = CommandParser()
    parser.add_arguments_of(TRAIN)
    one = overrides(parser.parse_args(["rock", "--output_dir", "out"]), "train")
    assert one["dataset_dir"] == "rock"
    several = overrides(parser.parse_args(["rock", "a#1", "--output_dir", "out"]), "train")["dataset_dir"]
    assert several[0] == "rock"
    assert text_of_config(several) == ["rock", "a#1"]
