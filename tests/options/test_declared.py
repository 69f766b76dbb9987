"""The declarations say what the configs and the code do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from inspect import signature
from typing import Any

import pytest
from monai.bundle import ConfigParser

from pipeline.data.split_file import make_split_file
from pipeline.engine.prediction import PredictionSettings
from pipeline.networks import NETWORKS, Switches, VLSENet, build_network
from pipeline.networks.blocks import NORMS
from pipeline.networks.factory import PRESETS, preset_features
from pipeline.networks.unet import UNet
from pipeline.options import BUNDLE, default, move_to_entries, options_of, result_options
from pipeline.options.configs import OF_CONFIGS
from pipeline.text.sources import TEXT_SOURCES
from pipeline.workflows.export import FORMATS as EXPORT_FORMATS
from pipeline.workflows.scan import ScanSettings
from tests.paths import CONFIGS

#: read by `CheckedWorkflow`, and not by an entry
READ_BY_NAME = {"output_dir", "resume", "overwrite"}


def config_of(command: str) -> dict[str, Any]:
    return ConfigParser.load_config_files([CONFIGS / f"{name}.yaml" for name in ("common", command)])


def references(entry: Any) -> set[str]:
    """The config's entries that an entry refers to, or the arguments of one, as in `data::pore_label`."""
    if isinstance(entry, Mapping):
        return set().union(*map(references, entry.values()))
    if isinstance(entry, list):
        return set().union(*map(references, entry))
    return set(re.findall(r"@(\w+(?:::\w+)*)", entry)) if isinstance(entry, str) else set()


def options_read(command: str, *entries: str) -> set[str]:
    """The options that entries of a config lead to."""
    config, reached, waiting = config_of(command), set(), set(entries)
    while waiting:
        name = waiting.pop()
        reached |= {name, *(option.id for option in OF_CONFIGS if option.entry == name)}
        if name not in {option.id for option in OF_CONFIGS if option.entry}:
            waiting |= references(config.get(name.partition("::")[0])) - reached
    return {option.name for option in OF_CONFIGS if option.id in reached}


@pytest.mark.parametrize("command", BUNDLE)
def test_a_command_takes_what_its_config_reads(command):
    read = options_read(command, "initialize", "run") - READ_BY_NAME
    if command == "audit":  # it asks each image's sentence in any case; the shared entry `how` names the option
        read.remove("sentences")
    assert read == set(options_of(command)) - READ_BY_NAME


def test_what_changes_a_training_may_not_change_when_it_is_resumed():
    """`recipe` is what a resumed training compares; threads of it lead to each option that changes the result."""
    place_of_the_earlier = {"output_dir", "resume"}  # which says how far the network sees
    place_of_the_network = {"device"}  # whether the model that it started from is asked is compared, and not where
    places = place_of_the_earlier | place_of_the_network
    assert options_read("train", "recipe") - places == set(result_options("train"))


@pytest.mark.parametrize("option", [option for option in OF_CONFIGS if option.result is None], ids=lambda o: o.name)
def test_every_option_of_a_config_says_whether_it_changes_the_result(option):
    raise AssertionError(f"{option.name}: give result=True or result=False")


def test_settings_of_a_scan_are_its_options():
    """All that changes a scan's result is in its settings, but for what comes from the scan and the model."""
    settings = {field.name: field.default for kind in (ScanSettings, PredictionSettings) for field in fields(kind)}
    assert set(result_options("scan")) - {"input", "checkpoint", "text_weights"} <= set(settings)
    for name, value in settings.items():
        # those of the phases are the model's
        if value is not MISSING and name not in ("prediction", "phases"):
            assert (list(value) if isinstance(value, tuple) else value) == default("scan", name), name


def test_names_to_choose_from_are_those_that_the_code_knows():
    kinds = {name: option.kind for name, option in options_of("train").items()}
    assert set(kinds["network"].names) == set(NETWORKS)
    assert set(kinds["norm"].names) == set(NORMS)
    assert set(kinds["preset"].names) == set(PRESETS)
    assert set(kinds["text_source"].names) == set(TEXT_SOURCES)
    assert set(options_of("export")["formats"].kind.names) == set(EXPORT_FORMATS)


def test_defaults_in_python_are_those_declared():
    built = {name: one.default for name, one in signature(build_network).parameters.items()}
    assert {name: built[name] for name in ("network", "preset", "norm", "features")} == {
        name: default("train", name) for name in ("network", "preset", "norm", "features")
    }
    for network in (UNet, VLSENet):
        parameters = signature(network).parameters
        assert parameters["norm"].default == default("train", "norm")
        assert parameters["features"].default == preset_features(default("train", "preset"))
    assert vars(Switches()) == default("train", "switches")
    split = signature(make_split_file).parameters
    assert all(split[name].default == default("prepare", name) for name in ("val", "test", "seed", "overwrite"))


def test_an_option_of_two_commands_stays_with_the_one_that_runs():
    """`phases` names those of a data set in a training, and those that are asked for in a scan."""
    scan = {"command": "scan", "data": {"phases": None}, "phases": "pore"}
    move_to_entries(scan)
    assert (scan["phases"], scan["data"]["phases"]) == ("pore", None)
    evaluation = {"command": "evaluate", "data": {"phases": None}, "phases": "pore=2"}
    move_to_entries(evaluation)
    assert evaluation == {"command": "evaluate", "data": {"phases": "pore=2"}}


def test_thresholds_by_name_are_read_from_the_command_line():
    kind = options_of("scan")["threshold"].kind
    assert kind.read("pore=0.3, silt grain=0.6") == {"pore": 0.3, "silt grain": 0.6}
    assert kind.read("0.4") == 0.4
