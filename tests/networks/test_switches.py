from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.networks import Switches, changed_switches


def test_what_is_not_named_is_on() -> None:
    switches = Switches.from_mapping({"alignment": False})
    assert [name for name in Switches.names() if not getattr(switches, name)] == ["alignment"]


def test_all_off() -> None:
    assert not any(getattr(Switches.all_off(), name) for name in Switches.names())


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
    with pytest.raises(UserError, match=r"one by one, such as switches::context=false; there are skip_gate, .*context"):
        changed_switches(value)


def test_a_switch_is_a_boolean_however_it_is_set() -> None:
    with pytest.raises(UserError, match="context is 'false': write true or false"):
        Switches(context="false")
