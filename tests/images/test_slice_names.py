from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.images import open_stack
from pipeline.images.folders import doubts_of_names, numbered_series


def numbered(form: str, numbers: list[float]) -> list[str]:
    return [form.format(number) for number in numbers]


@pytest.mark.parametrize(
    "names",
    [
        numbered("slice_{}.tif", [*range(20)]),
        numbered("slice_{:04d}.tif", [*range(998, 1003)]),
        numbered("z{:.3f}um.tif", [0.98, 0.99, 1.0, 1.01, 1.02]),
        numbered("s_{}.ome.tif", [0, 10, 20, 30]),
        [f"2024-05-0{1 + i // 2}_{12 + 7 * (i % 2)}{i * i % 60:02d}_slice{i}.png" for i in range(9)],
        ["top.tif", "middle.tif", "bottom.tif"],
        ["slice_6.tif", "slice_8.tif"],
        numbered("{}.tif", [1, 5, 12, 40, 41]),  # not counted
    ],
)
def test_nothing_is_said_of_whole_stacks(names: list[str]) -> None:
    assert doubts_of_names(names) == []


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (numbered("slice_{}.tif", [5, 6, 8]), "1 slice seems to be missing, between slice_6.tif and slice_8.tif"),
        (numbered("slice_{:03d}.tif", [8, 9, 10, 14, 15]), "3 slices seem to be missing, between slice_010.tif and"),
        (numbered("z{:.2f}.tif", [0.1, 0.2, 0.4, 0.5]), "between z0.20.tif and z0.40.tif"),
        (numbered("s{}_of_100.tif", [0, 10, 20, 40]), "1 slice seems to be missing, between s20"),
        (["s1.tif", "s2.tif", "s3.tif", "overview.png"], "overview.png is not numbered as the other slices (s1.tif"),
        (["s1.tif", "s2.tif", "s3.tif", "s2_mask.tif", "s3_mask.tif"], "s2_mask.tif, s3_mask.tif are not numbered"),
        (["s1.tif", "s2.tif", "s2.png", "s3.tif"], "slices with the same number: s2.tif and s2.png"),
        (["s1.tif", "s01.tif", "s2.tif", "s3.tif"], "the same number: s1.tif and s01.tif"),
        ([f"run{i * 7919 % 1000}_s{i}.tif" for i in (0, 1, 2, 3, 5, 6)], "1 slice seems to be missing, between"),
    ],
)
def test_gaps_doubles_and_others_are_named(names: list[str], told: str) -> None:
    (doubt,) = doubts_of_names(names)
    assert told in doubt


def test_a_stack_with_a_hole_is_opened_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in (5, 6, 8):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"slice_{number}.png")
    with caplog.at_level("WARNING", "vlsenet"):
        assert len(open_stack(tmp_path)) == 3
    assert f"{tmp_path}: 1 slice seems to be missing" in caplog.text


def test_a_series_counts_on_in_one_number() -> None:
    assert numbered_series(numbered("s_{}.tif", [10, 2, 3, 4])) == ("s_2.tif", "s_10.tif")
    assert numbered_series(numbered("2024_z{:03d}.ome.tif", [0, 5, 10, 15])) == (
        "2024_z000.ome.tif",
        "2024_z015.ome.tif",
    )
    assert numbered_series(numbered("s_{}.tif", [1, 2])) is None
    assert numbered_series(["a.tif", "b.tif", "c.tif"]) is None
    assert numbered_series(numbered("rock_{}.tif", [17, 5, 86, 41, 3])) is None
    assert numbered_series(["s1.tif", "s2.tif", "s2.png", "s3.tif"]) is None
