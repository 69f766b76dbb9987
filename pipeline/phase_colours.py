"""The colour of each phase, the same in pictures, in the report and in the label image."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.phases import PORE

RGB = tuple[int, int, int]

#: of M. Okabe and K. Ito, which readers with any colour vision tell apart; without black, which is lost on grey
PORE_COLOUR: RGB = (230, 159, 0)
_SAFE: tuple[RGB, ...] = ((86, 180, 233), (0, 158, 115), (213, 94, 0), (204, 121, 167), (240, 228, 66), (0, 114, 178))
#: for more phases than these (P. Tol's "muted" scheme): pictures of so many need the table beside them
_MORE: tuple[RGB, ...] = ((136, 34, 85), (153, 153, 51), (51, 34, 136), (68, 170, 153), (170, 68, 153), (136, 204, 238))


def phase_colours(names: Sequence[str]) -> list[RGB]:
    """A colour for each phase, by the phases' order; pore is orange wherever it stands. Beyond 13, colours repeat."""
    others = [*_SAFE, *_MORE] if PORE in names else [PORE_COLOUR, *_SAFE, *_MORE]
    numbers = iter(range(len(names)))
    return [PORE_COLOUR if name == PORE else others[next(numbers) % len(others)] for name in names]


def as_hex(colour: RGB) -> str:
    """A colour as in `E69F00`."""
    return "{:02X}{:02X}{:02X}".format(*colour)
