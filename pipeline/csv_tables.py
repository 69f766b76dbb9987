"""Tables for people and programs as CSV files, in which no text is a formula.

Spreadsheet programs run a cell that begins with `=`, `+`, `-` or `@` as a formula, and an image or a phase may have
such a name. So the text is written with `'` in front, which they take for "this is text", as OWASP advises; a number
stays a number. What is read back here has its own text again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.files import atomic_path

if TYPE_CHECKING:  # of which `--help` should not wait
    import pandas as pd

#: the first letter of a formula; Excel for Chinese, Japanese and Korean takes the wide ones too
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-")


def as_cell(value: Any) -> Any:
    """A value as it stands in a CSV file: a text that would be a formula has `'` in front, all else stays."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def of_cell(value: Any) -> Any:
    """The value that `as_cell` was given."""
    return value[1:] if isinstance(value, str) and value.startswith("'") and _FORMULA.match(value) else value


def csv_text(table: pd.DataFrame, form: str) -> str:
    """A table as the text of a CSV file, without its index; `form`: of its numbers, as in `%.6f`."""
    return str(_mapped(table, as_cell).to_csv(index=False, float_format=form))


def write_csv(path: Path, table: pd.DataFrame, form: str) -> None:
    """Write a table as a whole CSV file, or none; see `csv_text`."""
    with atomic_path(path) as partial:
        _mapped(table, as_cell).to_csv(partial, index=False, float_format=form)


def write_csv_rows(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows, of which the first is the head, as a whole CSV file, or none."""
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(map(as_cell, row) for row in rows)


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a table that was written here; `options`: of `pandas.read_csv`.

    Raises:
        OSError, ValueError: as there.
    """
    import pandas as pd

    return _mapped(pd.read_csv(path.absolute(), **options), of_cell)  # a relative path may look like an address


def read_csv_cells(path: Path) -> list[dict[str, str]]:
    """Read the rows of a table that was written here, as texts by the names of the columns.

    Raises:
        OSError, UnicodeDecodeError, csv.Error: it can't be read.
    """
    with path.open(encoding="utf-8", newline="") as file:
        return [{of_cell(name): of_cell(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def _mapped(table: pd.DataFrame, change: Any) -> pd.DataFrame:
    """The table with its texts and the names of its columns changed."""
    from pandas.api.types import is_numeric_dtype

    changed = table.copy(deep=False)
    for name, column in table.items():
        if not is_numeric_dtype(column.dtype):
            changed[name] = column.map(change)
    return changed.rename(columns=change)
