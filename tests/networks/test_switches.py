from __future__ import annotations

import dataclasses

import pytest

from pipeline.errors import UserError
from pipeline.networks import Switches, changed_switches
from tests.networks.cases import ALL_OFF


def test_what_is_not_named_is_on() -> None:
    switches = Switches.from_mapping({"alignment": False})
    assert [name for name in Switches.names() if not getattr(switches, name)] == ["alignment"]


@pytest.mark.parametrize(
    ("on", "read_global_text", "read_text", "train_with_text"),
    [
        ((), False, False, False),
        (("asrm_skip", "context", "renormalise", "contrast"), False, False, False),
        (("modulate_decoder",), True, True, True),
        (("text_adapters",), True, True, True),
        (("text_head",), True, True, True),
        (("cross_attention",), False, True, True),
        (("alignment",), False, False, True),
    ],
)
def test_which_parts_read_text(
    on: tuple[str, ...], read_global_text: bool, read_text: bool, train_with_text: bool
) -> None:
    switches = dataclasses.replace(ALL_OFF, **dict.fromkeys(on, True))
    told = switches.read_global_text, switches.read_text, switches.train_with_text
    assert told == (read_global_text, read_text, train_with_text)


def test_mistyped_switch_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean alignment"):
        Switches.from_mapping({"alignement": False})


@pytest.mark.parametrize("value", ["false", 0, None])
def test_only_booleans(value: object) -> None:
    with pytest.raises(UserError, match=r"skip_gate is .*: write true or false"):
        Switches.from_mapping({"skip_gate": value})


def test_only_what_is_off_travels_with_a_network() -> None:
    assert changed_switches({name: name != "context" for name in Switches.names()}) == {"context": False}


@pytest.mark.parametrize("value", [False, "skip_gate", None])
def test_one_value_for_all_switches_is_told(value: object) -> None:
    with pytest.raises(UserError, match=r"one by one, as in switches::context=false; choose from skip_gate, .*context"):
        changed_switches(value)


def test_a_switch_is_a_boolean_however_it_is_set() -> None:
    with pytest.raises(UserError, match="context is 'false': write true or false"):
        Switches(context="false")
