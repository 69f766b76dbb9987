from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.experiments import Run
from pipeline.experiments.runner import TimeLeft, duration


def record(variant: str, training: float | None, evaluation: float | None) -> Run:
    return Run(Path(), variant, 0, "", "", {}, {}, training_seconds=training, evaluation_seconds=evaluation)


def test_a_variant_is_expected_to_take_what_it_took_and_a_new_one_what_all_took():
    time_left = TimeLeft()
    assert time_left.estimate(["a"], [], 1) == ""
    time_left.note(record("a", 500, 100))
    time_left.note(record("b", 100, 20), wall=1200)
    time_left.note(record("b", None, 20))  # a part of it is unknown
    assert time_left.estimate(["a"], [], 1) == ", about 10 min"
    assert time_left.estimate(["b", "a"], [], 2) == ", about 15 min"
    assert time_left.estimate(["new"], [("b", 900.0)], 1) == ", about 20 min"
    assert time_left.estimate([], [("new", 5000.0)], 1) == ""  # nobody knows, and "0 s" would be wrong
    assert time_left.estimate([], [("a", 598.0)], 4) == ""


@pytest.mark.parametrize(
    ("seconds", "told"), [(3, "3 s"), (89, "89 s"), (150, "2 min"), (5940, "99 min"), (15000, "4 h 10 min")]
)
def test_durations_are_told_in_fitting_units(seconds, told):
    assert duration(seconds) == told
