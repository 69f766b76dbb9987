"""CSV files as people and spreadsheets write them: encodings, separators, ends of lines, quotes."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path

from pipeline.csv_tables import of_cell
from pipeline.errors import UserError
from pipeline.files import read_bytes
from pipeline.images.microscope.side_files import unicode_of

_DELIMITERS = ",;\t|"
#: of Excel and its like without Unicode: Western Europe on Windows, macOS and DOS, China, Japan, Russia, Korea, Taiwan
_OLD_ENCODINGS = ("cp1252", "mac_roman", "cp850", "gb18030", "cp932", "cp1251", "cp949", "big5")
#: that strip() leaves, and that copying from other programs brings along
_INVISIBLE = "\ufeff\u200b\u200e\u200f\x1a"
#: of archives, as Excel, LibreOffice and Numbers keep their own files
_ARCHIVE = b"PK\x03\x04"


def read_rows(path: Path, names: Collection[str]) -> list[tuple[list[str], int]]:
    """The rows of a CSV file that hold something: cells without the space around them, and the number of the line.

    Args:
        path: the file.
        names: that are expected in it; they show the encoding where it is not Unicode.

    Raises:
        UserError: it can't be read, or is no CSV.
    """
    data = read_bytes(path)
    if data.startswith(_ARCHIVE):
        raise UserError(f"{path}: it is a spreadsheet program's own file, not CSV; save it as 'CSV UTF-8' from there")
    text = io.StringIO(_decoded(data, names), newline=None).read()  # with one kind of end of lines
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    separator = lines[first].strip().strip('"').lower() if lines else ""
    if separator.startswith("sep=") and len(separator) <= 5:  # Excel's own first line
        lines[first] = ""
        first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    delimiter = max(_DELIMITERS, key=lines[first].count)
    rows = _rows(path, "\n".join(lines), delimiter)
    if all(len(cells) == 1 for cells, _ in rows) and any(delimiter in cells[0] for cells, _ in rows):
        # whole lines in quotes, as by a program that took each for one cell
        rows = [(_rows(path, cells[0], delimiter)[0][0], number) for cells, number in rows]
    return rows


def _rows(path: Path, text: str, delimiter: str) -> list[tuple[list[str], int]]:
    text = text.replace("\0", "")  # Python 3.10 reads no line that has one
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    try:
        found = [([of_cell(cell.strip(_INVISIBLE).strip()) for cell in row], reader.line_num) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: it is not CSV ({error}); save it as 'CSV UTF-8'") from error
    return [(cells, number) for cells, number in found if any(cells)]


def _decoded(data: bytes, names: Collection[str]) -> str:
    if (text := unicode_of(data)) is not None:
        return text
    telling = [name for name in names if not name.isascii()]
    texts = [data.decode(encoding, "replace") for encoding in _OLD_ENCODINGS]
    return max(texts, key=lambda text: sum(name in text for name in telling))
