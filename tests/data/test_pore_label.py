from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data.pore_label import choose_pore_label, parse_pore_label
from pipeline.errors import UserError

ROOT = Path("set")


def _counts(*masks: dict[int, int]) -> dict[Path, dict[int, int]]:
    return {Path(f"{i}.png"): mask for i, mask in enumerate(masks)}


@pytest.mark.parametrize("pore", [1, 2, 255])
def test_binary_masks(pore: int) -> None:
    assert choose_pore_label(_counts({0: 9}, {0: 5, pore: 4}), None, ROOT) == pore
    assert choose_pore_label(_counts({0: 9}, {pore: 4}), 0, ROOT) == 0


def test_more_than_two_values_are_listed_over_all_masks() -> None:
    with pytest.raises(UserError) as caught:
        choose_pore_label(_counts({0: 60, 1: 20}, {0: 10, 2: 10}), None, ROOT)
    text = str(caught.value)
    for part in ("0 (70 % of pixels, in 0.png)", "1 (20 %", "2 (10 % of pixels, in 1.png)", "--pore_label"):
        assert part in text
    assert choose_pore_label(_counts({0: 60, 1: 20}, {0: 10, 2: 10}), 2, ROOT) == 2


def test_masks_that_are_not_coded_alike_are_told() -> None:
    masks = _counts({0: 9}, {0: 5, 1: 4}, {0: 5, 255: 4}, {0: 3, 255: 6}, {0: 3, 255: 6})
    with pytest.raises(UserError, match=r"\(0 and 1 in 1.png, 0 and 255 in 2.png, 3.png and 1 more\)") as caught:
        choose_pore_label(masks, None, ROOT)
    assert "save all labels with the same two values, otherwise say which one is pore" in str(caught.value)
    with pytest.raises(UserError) as caught:
        choose_pore_label(_counts({0: 5, 1: 4}, {0: 5, 1: 2, 255: 4}), None, ROOT)
    assert "same two values" not in str(caught.value)


def test_grey_levels_are_hinted_at() -> None:
    """Their number says it: a list of all would be a wall."""
    with pytest.raises(UserError, match=r"hold 100 values, from 0 \(in 0.png\) to 99; .*smoothed") as caught:
        choose_pore_label(_counts(dict.fromkeys(range(100), 1)), None, ROOT)
    assert len(str(caught.value)) < 250
    with pytest.raises(UserError, match=r"--pore_label 7 does not occur; the labels hold 20 values, from 10 "):
        choose_pore_label(_counts(dict.fromkeys(range(10, 30), 1)), 7, ROOT)


def test_chosen_value_must_occur() -> None:
    with pytest.raises(UserError, match=r"--pore_label 3 does not occur; .*0 \(.*2 \("):
        choose_pore_label(_counts({0: 1, 2: 1}), 3, ROOT)


def test_single_value() -> None:
    with pytest.raises(UserError, match="single value 7"):
        choose_pore_label(_counts({7: 5}), None, ROOT)


@pytest.mark.parametrize(("given", "expected"), [(2, 2), ("2", 2), (" 2 ", 2), (2.0, 2), (None, None), ("", None)])
def test_option(given: object, expected: int | None) -> None:
    assert parse_pore_label(given) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["pore", "1.5", True, "nan", "inf"])
def test_option_that_is_no_number(given: object) -> None:
    with pytest.raises(UserError, match=f"--pore_label {given}"):
        parse_pore_label(given)  # type: ignore[arg-type]
