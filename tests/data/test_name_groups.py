from __future__ import annotations

import re

import pytest

from pipeline.data.pairs import name_groups


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (["11_1", "11_2", "13_1", "13_10"], {"11": 2, "13": 2}),
        (["scan1-tile03", "scan1-tile04", "scan2-tile01", "scan2-tile02", "scan2-tile9"], {"scan1": 2, "scan2": 3}),
        # rows and columns: a row of tiles is no micrograph of its own
        ([f"{scan}_r{row}_c{column}" for scan in "ab" for row in range(2) for column in range(2)], {"a": 4, "b": 4}),
        ([f"well_{site}_{tile}" for site in "AB" for tile in range(3)], {"well_A": 3, "well_B": 3}),
        (["a x10y20", "a x10y30", "b x1y2", "b x2y2"], {"a": 2, "b": 2}),
    ],
)
def test_groups_and_a_pattern_that_finds_them(names, sizes):
    groups = name_groups(names)
    assert groups is not None
    assert groups.sizes == sizes
    found = [re.search(groups.pattern, name).group(1) for name in names]
    assert {stem: found.count(stem) for stem in found} == sizes


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["a", "b"],
        ["img_1", "img_2", "img_3"],  # separate images, numbered
        ["quartz_1", "illite_1", "chlorite_1"],
        ["a_dark", "a_bright", "b_dark", "b_bright"],
        ["11_1", "11_2", "13_1", "overview"],
        ["_1", "_2", "a_1", "a_2"],
    ],
)
def test_names_that_say_nothing(names):
    assert name_groups(names) is None
