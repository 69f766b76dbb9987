from __future__ import annotations

import pytest

from pipeline.cluster.time_left import TimeLeft, duration


def test_a_kind_is_expected_to_take_what_it_took_and_a_new_one_what_all_took():
    time_left = TimeLeft()
    assert time_left.estimate(["a"], 1) == ""
    time_left.note("a", 600)
    time_left.note("b", 1200)
    assert time_left.estimate(["a"], 1) == ", about 10 min"
    assert time_left.estimate(["b", "a"], 2) == ", about 15 min"
    assert time_left.estimate(["new"], 1) == ", about 15 min"
    assert time_left.estimate([], 1) == ""


@pytest.mark.parametrize(
    ("seconds", "told"), [(3, "3 s"), (89, "89 s"), (150, "2 min"), (5940, "99 min"), (15000, "4 h 10 min")]
)
def test_durations_are_told_in_fitting_units(seconds, told):
    assert duration(seconds) == told
