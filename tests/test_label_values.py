"""What label values mean, as people write it."""

from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.label_values import label_values, parse_phases, parse_unlabelled
from pipeline.phases import LabelValues, Phase


def test_phases_of_an_option():
    expected = LabelValues((Phase.of("pore"), Phase.of("silt grain")), ((2, 3), (1,)))
    assert parse_phases("pore=2+3, silt  grain = 1") == expected
    assert parse_phases(str(expected)) == expected
    assert parse_phases("pore=2,unlabelled=255,rock=0") == LabelValues((Phase.of("pore"),), ((2,),), (255,), (0,))


def test_rows_of_one_phase_are_gathered_and_keep_its_prompt():
    found = label_values([(4, "Clay", ""), (0, "rest", ""), (7, "Clay", "soft clay"), (9, "Unlabelled", "")])
    assert found == LabelValues((Phase("Clay", "soft clay"),), ((4, 7),), (9,), (0,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pore", "'pore' is not NAME=VALUE"),
        ("pore=dark", "'pore=dark' is not NAME=VALUE"),
        ("=2", "'=2' is not NAME=VALUE"),
        ("pore=-1", "'pore=-1' is not NAME=VALUE"),
        ("pore=2, silt=2", "value 2 is given twice, as pore and as silt"),
        ("pore=2, Pore=1", "'pore' and 'Pore' differ in upper and lower case only"),
        ("rest=0", "it names no phase"),
        ("", "it names no phase"),
    ],
)
def test_mistakes_in_the_option(text: str, said: str):
    with pytest.raises(UserError) as caught:
        parse_phases(text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"--phases {text}: ")


@pytest.mark.parametrize(
    ("given", "values"), [(255, (255,)), ("255", (255,)), ("254, 255,254", (254, 255)), ("None", ()), ("0", (0,))]
)
def test_values_that_are_unlabelled(given: int | str, values: tuple[int, ...]):
    assert parse_unlabelled(given) == values


def test_no_value():
    with pytest.raises(UserError, match="--unlabelled grey: give the label value"):
        parse_unlabelled("grey")
