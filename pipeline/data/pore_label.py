"""Which value of the label images means pore."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import UserError
from pipeline.wording import some_of

_MOST_VALUES = 12


def parse_pore_label(value: int | float | str | None) -> int | None:
    """Return `--pore_label` as an integer; None where it was left out.

    Raises:
        UserError: It is no whole number.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "none", "null")):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not number.is_integer():
        raise UserError(f"--pore_label {value}: not a whole number; give the label value that means pore")
    return int(number)


def choose_pore_label(
    counts: Mapping[Path, Mapping[int, int]], pore_label: int | None, root: Path, usual: int | None = None
) -> int:
    """Return the label value that means pore.

    Without a choice of the user, a data set with two values over all its masks is binary, and the larger value is
    pore. A mask with fewer values than the data set (all background, say) is fine.

    Args:
        counts: Pixels for each value, for each label file; not empty.
        pore_label: The user's choice.
        root: The data set's folder, for messages.
        usual: The value to take where none was chosen, and this one occurs: that of a model's training.

    Raises:
        UserError: The chosen value occurs nowhere; or none was chosen, and there are not two values.
    """
    total, found = example_values(counts)
    if pore_label is not None:
        if pore_label not in total:
            raise UserError(f"{root}: --pore_label {pore_label} does not occur; the labels hold {found}")
        return pore_label
    if usual is not None and usual in total:
        return usual
    if len(total) == 2:
        return max(total)
    if len(total) == 1:
        raise UserError(
            f"{root}: all labels hold the single value {min(total)}, so pore and rock can't be distinguished; "
            f"check the labels, or give --pore_label"
        )
    hint = ""
    if len(total) > _MOST_VALUES:
        hint = " (so many values look like grey levels or smoothed edges: were the labels resized or filtered?)"
    raise UserError(
        f"{root}: the labels hold {found if hint else f'more than two values: {found}'}; "
        f"{_unlike(counts)}say which one is pore with --pore_label, or name several phases with --phases{hint}"
    )


def _unlike(counts: Mapping[Path, Mapping[int, int]]) -> str:
    """What to do where each label has two values at most, and not all the same: 0 and 1 here, 0 and 255 there."""
    if any(len(of_file) > 2 for of_file in counts.values()):
        return ""
    kinds: dict[tuple[int, ...], list[str]] = {}
    for path, of_file in sorted(counts.items()):
        if len(of_file) == 2:
            kinds.setdefault(tuple(sorted(of_file)), []).append(path.name)
    if len(kinds) < 2:
        return ""
    pairs = ", ".join(f"{low} and {high} in {some_of(names, 2)}" for (low, high), names in kinds.items())
    return (
        f"each label holds two of them ({pairs}): if these mean the same, save all labels with the same two values, "
        "otherwise "
    )


def example_values(counts: Mapping[Path, Mapping[int, int]]) -> tuple[Counter[int], str]:
    """Pixels of each value over all files, and as text: values in order, each with its share of all pixels and a file
    that holds it; of too many, how many they are."""
    total: Counter[int] = Counter()
    example: dict[int, Path] = {}
    for path, of_file in sorted(counts.items()):
        total.update(of_file)
        for value in of_file:
            example.setdefault(value, path)
    return total, _described(total, example)


def _described(total: Counter[int], example: Mapping[int, Path]) -> str:
    pixels = sum(total.values())
    if len(total) > _MOST_VALUES:
        return f"{len(total)} values, from {min(total)} (in {example[min(total)].name}) to {max(total)}"
    return ", ".join(f"{v} ({100 * total[v] / pixels:.3g} % of pixels, in {example[v].name})" for v in sorted(total))
