"""`phases.csv`: what the values of a data set's labels mean."""

from __future__ import annotations

from pathlib import Path

from pipeline.csv_tables import write_csv_rows
from pipeline.data.spreadsheet import read_rows
from pipeline.errors import UserError
from pipeline.label_values import REST_NAMES, UNLABELLED_NAME, label_values, whole_value
from pipeline.phases import LabelValues

PHASES_FILE = "phases.csv"
_COLUMNS = ("value", "phase")
_PROMPT = "prompt"


def read_phases_csv(path: Path) -> LabelValues:
    """Read a `phases.csv`: `value,phase`, and optionally `prompt`, a row for each label value.

    The phase `unlabelled` marks values about which nothing is known; `rest`, `rock` and `background`, like values that
    are not named, are none of the phases. The file may be as spreadsheets write it.

    Raises:
        UserError: It is no CSV, lacks a column, or contradicts itself.
    """
    lines = read_rows(path, ())
    header = [cell.lower() for cell in lines[0][0]] if lines else []
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        raise UserError(
            f"{path}: its first line must name the columns {','.join(_COLUMNS)}; {', '.join(missing)} is missing"
        )
    rows = []
    for row, number in lines[1:]:
        cells = dict(zip(header, row + [""] * len(header), strict=False))
        value = whole_value(cells["value"])
        if value is None:
            raise UserError(f"{path}: line {number}: {cells['value']!r} is no label value; give a whole number from 0")
        rows.append((value, cells["phase"], cells.get(_PROMPT, "")))
    try:
        return label_values(rows)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def write_phases_csv(path: Path, values: LabelValues) -> None:
    """Write what `read_phases_csv` reads."""
    rows = [
        (value, phase.name, phase.prompt if phase.prompt != phase.name else "")
        for phase, of_phase in zip(values.phases, values.values, strict=True)
        for value in of_phase
    ]
    rows += [(value, REST_NAMES[0], "") for value in values.rest]
    rows += [(value, UNLABELLED_NAME, "") for value in values.unlabelled]
    columns = 3 if any(prompt for *_, prompt in rows) else 2
    write_csv_rows(path, [[*_COLUMNS, _PROMPT][:columns], *(row[:columns] for row in rows)])
