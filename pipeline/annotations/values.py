"""The label values of a data set's phases, and those that new names get."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.data.phases_file import PHASES_FILE, read_phases_csv
from pipeline.errors import UserError
from pipeline.images import is_image, read_label
from pipeline.label_values import REST_NAMES, UNLABELLED_NAME
from pipeline.phases import MOST_PHASES, PORE, LabelValues, Phase
from pipeline.wording import nearest

#: what other programs call pixels of which nothing is known
_UNKNOWN = {UNLABELLED_NAME, "unlabeled", "unlabelled", "ignore", "ignore*"}


def plain_name(name: str, known: Sequence[str] = ()) -> str:
    """A class as a data set names it: `unlabelled`, `rest`, a known phase in its own spelling, or the name itself."""
    text = " ".join(name.split())
    folded = text.casefold()
    if folded in _UNKNOWN:
        return UNLABELLED_NAME
    if folded in REST_NAMES:
        return REST_NAMES[0]
    return next((phase for phase in known if phase.casefold() == folded), text)


@dataclass(frozen=True)
class Meaning:
    """What the values of a data set's labels mean, with a value to write for each name.

    Attributes:
        values: of the phases, of unlabelled pixels and of the rest; each of these two has one.
    """

    values: LabelValues

    @property
    def unlabelled(self) -> int:
        """Value of pixels about which nothing is known."""
        return self.values.unlabelled[0]

    @property
    def rest(self) -> int:
        """Value of pixels that are none of the phases."""
        return self.values.rest[0]

    def value(self, name: str) -> int:
        """The value of a phase, of `unlabelled`, or of `rest`."""
        if name == UNLABELLED_NAME:
            return self.unlabelled
        if name == REST_NAMES[0]:
            return self.rest
        return self.values.values[self.values.names.index(name)][0]


def known_values(root: Path) -> LabelValues:
    """What a data set's `phases.csv` says; nothing where there is none.

    Raises:
        UserError: there are labels, but nothing says what their values mean; or `phases.csv` can't be read.
    """
    if (root / PHASES_FILE).is_file():
        return read_phases_csv(root / PHASES_FILE)
    if any(_label_files(root)):
        raise UserError(
            f"{root}: it has labels, but no {PHASES_FILE} that says what their values mean; write one, or let "
            'vlsenet prepare --phases "pore=255" write it'
        )
    return LabelValues((), ())


def _label_files(root: Path) -> list[Path]:
    folder = root / "labels"
    return [path for path in sorted(folder.iterdir()) if is_image(path)] if folder.is_dir() else []


def with_names(known: LabelValues, names: Iterable[str], root: Path) -> Meaning:
    """The meaning of values where further phases have one, and so have unlabelled pixels and the rest.

    Where nothing is known yet, 0 is unlabelled, as viewers show it: phases have 1, 2 ... with pore first, and the rest
    follows. What is there keeps its values.

    Args:
        known: what the data set says.
        names: of phases; those that are known may be among them.
        root: the data set's folder, whose labels no new value may occur in.

    Raises:
        UserError: there are too many phases.
    """
    new = sorted(dict.fromkeys(name for name in names if name not in known.names), key=lambda name: name != PORE)
    if len(known.names) + len(new) > MOST_PHASES - 1:
        raise UserError(f"{root}: {len(known.names) + len(new)} phases, and {MOST_PHASES - 1} are possible")
    needed = len(new) + (not known.unlabelled) + (not known.rest)
    taken = set(known.named)
    if needed and known.phases:
        taken |= {0, *(int(value) for path in _label_files(root) for value in np.unique(read_label(path)))}
    free = [value for value in range(256) if value not in taken]
    unlabelled, rest = known.unlabelled, known.rest
    if not unlabelled:
        unlabelled = (free.pop(0) if not known.phases else free.pop(),)
    free = [value for value in free if value]
    values = [(free.pop(0),) for _ in new]
    if not rest:
        rest = (0,) if 0 not in known.named and 0 not in unlabelled else (free.pop(0),)
    phases = (*known.phases, *(Phase.of(name) for name in new))
    return Meaning(replace(known, phases=phases, values=(*known.values, *values), unlabelled=unlabelled, rest=rest))


def refuse_unknown(names: Collection[str], known: Sequence[str], where: Path) -> None:
    """Refuse names of classes that are none of a data set's phases.

    Raises:
        UserError: there are such names.
    """
    unknown = [name for name in names if name not in (*known, UNLABELLED_NAME, REST_NAMES[0])]
    if unknown and known:
        meant = nearest(unknown[0], known)
        hint = f"did you mean {meant}? " if meant else ""
        raise UserError(
            f"{where}: the phase {unknown[0]!r} is not one of the data set's ({', '.join(known)}); {hint}Give "
            f"--rename '{unknown[0]}={meant or known[0]}', or --new_phases to add it"
        )
