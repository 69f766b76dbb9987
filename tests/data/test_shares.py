from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.data import index_with_new_split

#: two large micrographs and a small one of far more pores
LARGE = {f"{scan}_{tile}": 0.05 for scan in ("11", "12") for tile in range(9)}
UNEVEN = LARGE | {"13_0": 0.4}
FRACTIONS = {"train": 0.8, "val": 0.2}


def test_a_split_that_whole_sources_do_not_allow_is_told(make_dataset: Callable[..., Path]) -> None:
    index = index_with_new_split(make_dataset(UNEVEN), FRACTIONS, group_pattern="^([0-9]+)_")
    (told,) = [note for note in index.notes if note.startswith("the split differs from what was asked for")]
    val = [sample for sample in index.samples if sample.split == "val"]
    share = len(val) / len(UNEVEN)  # all of one size
    assert abs(share - 0.2) > 0.2 / 3
    assert f"val has {share:.1%} of the pixels instead of 20%" in told
    assert "there are 3, the largest (11) with 47.4% of the pixels" in told


def test_another_porosity_is_told(make_dataset: Callable[..., Path]) -> None:
    pores = {f"{scan}_{tile}": (0.55 if scan == "5" else 0.05) for scan in "12345" for tile in range(2)}
    index = index_with_new_split(make_dataset(pores), {"train": 0.6, "val": 0.2, "test": 0.2}, group_pattern="^(.)_")
    (told,) = [note for note in index.notes if note.startswith("the split differs from what was asked for")]
    assert "% porosity, all images 15.0%" in told
    assert "instead of" not in told


def test_a_split_as_asked_for_is_not_spoken_of(make_dataset: Callable[..., Path]) -> None:
    even = {f"{scan}_{tile}": 0.1 for scan in range(10) for tile in range(2)}
    index = index_with_new_split(make_dataset(even), FRACTIONS, group_pattern="^([0-9]+)_")
    assert not any("asked for" in note for note in index.notes)
