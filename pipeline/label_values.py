"""What the values of label images mean, as people write it: `pore=2, silt grain=1+3`, and rows of value and phase."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import UserError
from pipeline.phases import MOST_PHASES, LabelValues, Phase

#: names that are no phases: a value about which nothing is known, and values that are none of the phases
UNLABELLED_NAME = "unlabelled"
REST_NAMES = ("rest", "rock", "background")
#: `--unlabelled none`: every pixel is labelled, and 0 is none of the phases
NONE_UNLABELLED = "none"
#: that can't be in a name, as they part names from values
_SIGNS = "=,;"


def whole_value(text: str) -> int | None:
    """A label value as a whole number, from 0; None where it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and number >= 0 else None


def label_values(rows: Iterable[tuple[int, str, str]]) -> LabelValues:
    """Gather rows of value, phase and prompt; several rows of one phase give it several values.

    Args:
        rows: value, name of a phase (or `unlabelled`, `rest`, `rock`, `background`), and its prompt, which may be
            empty.

    Raises:
        UserError: A name is empty or written in two ways, a value is given twice, or there is no phase.
    """
    prompts: dict[str, str] = {}
    values: dict[str, list[int]] = {}
    unlabelled: list[int] = []
    rest: list[int] = []
    owner: dict[int, str] = {}
    for value, written, prompt in rows:
        name = " ".join(written.split())
        if not name:
            raise UserError(f"value {value} has no phase; name it, or write {REST_NAMES[0]} or {UNLABELLED_NAME}")
        if sign := next((one for one in _SIGNS if one in name), None):
            raise UserError(f"the phase {name!r} has {sign!r} in its name; leave it out")
        if owner.setdefault(value, name) != name:
            raise UserError(f"value {value} is given twice, as {owner[value]} and as {name}; give it one phase")
        if name.casefold() == UNLABELLED_NAME:
            unlabelled.append(value)
        elif name.casefold() in REST_NAMES:
            rest.append(value)
        else:
            _refuse_other_case(name, values)
            values.setdefault(name, []).append(value)
            prompts[name] = prompts.get(name) or prompt
    if not values and not unlabelled:
        raise UserError("it names no phase; give at least one, such as value 2, pore")
    if len(values) > MOST_PHASES:
        raise UserError(f"it names {len(values)} phases, and {MOST_PHASES} are possible")
    phases = tuple(Phase.of(name, prompts[name]) for name in values)
    return LabelValues(phases, tuple(map(_once, values.values())), _once(unlabelled), _once(rest))


def _once(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(values))


def _refuse_other_case(name: str, known: Iterable[str]) -> None:
    other = next((one for one in known if one.casefold() == name.casefold() and one != name), None)
    if other is not None:
        raise UserError(f"the phases {other!r} and {name!r} differ in upper and lower case only; write them alike")


def parse_phases(text: str) -> LabelValues:
    """The meaning of label values from text such as `pore=2, silt grain=1+3`.

    Raises:
        UserError: It is written otherwise, or contradicts itself.
    """
    rows = []
    for part in str(text).replace(";", ",").split(","):
        if not part.strip():
            continue
        name, sign, given = part.rpartition("=")
        values = [whole_value(one) for one in given.split("+")]
        if not sign or not name.strip() or None in values:
            raise UserError(
                f"--phases {text}: {part.strip()!r} is not NAME=VALUE; give each phase its label value, as in "
                '--phases "pore=2, silt grain=1", or several: pore=2+3'
            )
        rows += [(value, name, "") for value in values if value is not None]
    try:
        return label_values(rows)
    except UserError as error:
        raise UserError(f"--phases {text}: {error}") from error


def parse_unlabelled(given: int | str) -> tuple[int, ...]:
    """The values of `--unlabelled`: `255`, `254,255`, or `none`, which gives no value.

    Raises:
        UserError: It is written otherwise.
    """
    text = str(given).strip()
    if text.lower() == NONE_UNLABELLED:
        return ()
    values = [whole_value(one) for one in text.replace("+", ",").split(",")]
    if None in values:
        raise UserError(
            f"--unlabelled {given}: give the label value of pixels about which nothing is known, such as 255, or "
            f"{NONE_UNLABELLED}"
        )
    return _once(value for value in values if value is not None)
