"""Masks in colour, with a table of what each colour means."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pipeline.data.spreadsheet import read_rows
from pipeline.errors import FileProblem, UserError
from pipeline.images import open_only_image
from pipeline.wording import some_of

RGB = tuple[int, int, int]
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
#: colours in a message
_MOST_NAMED = 5


def parse_colours(given: str) -> dict[RGB, str]:
    """What colours mean, from text such as `pore=#ff0000, rest=#000000`, or from a CSV file.

    Args:
        given: text, or the path of a file with the columns colour (or red,green,blue) and phase.

    Raises:
        UserError: it is written otherwise, or contradicts itself.
    """
    rows = _of_file(Path(given)) if "=" not in given else _of_text(given)
    found: dict[RGB, str] = {}
    for colour, name in rows:
        if found.setdefault(colour, name) != name:
            raise UserError(f"--colours {given}: #{_hex(colour)} is both {found[colour]} and {name}; correct it")
    if not found:
        raise UserError(f"--colours {given}: it names no colour; give it as in --colours 'pore=#ff0000, rest=#000000'")
    return found


def _of_text(text: str) -> list[tuple[RGB, str]]:
    rows = []
    for part in filter(str.strip, text.split(",")):
        name, _, colour = part.rpartition("=")
        rows.append((_colour(colour, f"--colours {text}"), name.strip()))
    return rows


def _of_file(path: Path) -> list[tuple[RGB, str]]:
    if not path.is_file():
        raise UserError(
            f"--colours {path}: no such file; give a CSV with colour,phase, or text as in 'pore=#ff0000, rest=#000000'"
        )
    lines = read_rows(path, ())
    header = [cell.lower() for cell in lines[0][0]] if lines else []
    single = next((name for name in ("colour", "color") if name in header), None)
    if "phase" not in header or not (single or {"red", "green", "blue"} <= set(header)):
        raise UserError(f"{path}: its first line must name the columns colour,phase or red,green,blue,phase")
    rows = []
    for cells, number in lines[1:]:
        row = dict(zip(header, cells, strict=False))
        text = row[single] if single else "#{:02x}{:02x}{:02x}".format(*(int(row[n]) for n in ("red", "green", "blue")))
        rows.append((_colour(text, f"{path}: line {number}"), row["phase"].strip()))
    return rows


def _colour(text: str, where: str) -> RGB:
    match = _HEX.fullmatch(text.strip())
    if match is None:
        raise UserError(f"{where}: {text.strip()!r} is no colour; give it as in #ff0000")
    return tuple(bytes.fromhex(match[1]))  # type: ignore[return-value]


def _hex(colour: RGB) -> str:
    return bytes(colour).hex()


def read_coloured(path: Path, colours: dict[RGB, str]) -> tuple[np.ndarray, dict[int, str]]:
    """A coloured mask as values (H, W), int32, and the class of each value.

    Raises:
        FileProblem: it can't be read, or holds a colour that is not in the table.
    """
    packed = {_packed(np.array(colour)): name for colour, name in colours.items()}
    values = _packed(_pixels(path))
    found, counts = np.unique(values, return_counts=True)
    unknown = sorted(((n, int(v)) for v, n in zip(found, counts, strict=True) if int(v) not in packed), reverse=True)
    if unknown:
        shown = some_of([f"#{value:06x} ({count} pixels)" for count, value in unknown], _MOST_NAMED)
        what = f"it holds {len(unknown)} colours that --colours does not name: {shown}"
        hint = "; JPEG smears colours" if path.suffix.lower() in (".jpg", ".jpeg") else ""
        raise FileProblem(path, what, f"name them (as unlabelled, if nothing is known there){hint}")
    return values, {int(value): name for value, name in packed.items()}


def _pixels(path: Path) -> np.ndarray:
    """Red, green and blue (H, W, 3)."""
    with open_only_image(path, stored=True) as source:
        pixels, palette = source.read_all(), source.encoding.palette
    if palette is not None:
        return np.asarray(palette)[pixels][..., :3]
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return pixels[..., :3]


def _packed(colour: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(colour.astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue
