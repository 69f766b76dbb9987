from __future__ import annotations

import math

from pipeline.experiments.finished_training import compare_histories

FIRST = {"val_dice": {1: 0.5, 2: 0.7}, "train_loss": {1: 1.25, 2: math.nan}}


def test_the_same_values_are_identical_also_those_that_are_no_numbers():
    found = compare_histories(FIRST, {name: dict(values) for name, values in FIRST.items()}, 0.0)
    assert found.identical
    assert found.agrees
    assert str(found) == "identical: all 4 values are the same to the last bit"


def test_the_last_bit_is_a_difference_and_agrees_within_a_tolerance():
    now = {**FIRST, "val_dice": {1: 0.5, 2: math.nextafter(0.7, 1)}}
    found = compare_histories(FIRST, now, 1e-9)
    assert not found.identical
    assert found.agrees
    assert not compare_histories(FIRST, now, 0.0).agrees


def test_the_largest_difference_of_each_metric_is_told():
    found = compare_histories(FIRST, {"val_dice": {1: 0.75, 2: 0.6}, "train_loss": {1: 1.0, 2: 0.5}}, 0.01)
    assert not found.agrees
    assert [(one.metric, one.epoch) for one in found.differences] == [("train_loss", 2), ("val_dice", 1)]
    assert str(found).splitlines()[0].startswith("DIFFER: of 4 values within a tolerance of 0.01")
    assert "val_dice in epoch 1: 0.5 before, 0.75 now" in str(found)


def test_what_only_one_has_and_nothing_at_all_are_no_agreement():
    found = compare_histories(FIRST, {"val_dice": {1: 0.5}}, 1.0)
    assert found.missing == ("train_loss", "val_dice in epoch 2")
    assert not found.agrees
    assert not compare_histories({}, {}, 1.0).agrees
