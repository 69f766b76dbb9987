"""File names that look like parts of fewer micrographs: 11_1, 11_2, 13_1."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from pipeline.wording import some_of

_SEPARATORS = re.compile(r"[-_. ]+")
#: what a part is told by: 3, 003, tile3, r2, x100y200
_NUMBERED = re.compile(r"[a-zA-Z]{0,9}\d+([a-zA-Z]{1,3}\d+)?")
#: files for each group; pairs of names that happen to begin alike are none
_LEAST_MEAN = 2


@dataclass(frozen=True)
class NameGroups:
    """Groups of file names with the same stem and another number.

    Attributes:
        pattern: regular expression that finds the stem, as `--group_pattern` takes it.
        sizes: files of each stem.
    """

    pattern: str
    sizes: dict[str, int]

    def __str__(self) -> str:
        shown = some_of([f"{stem} ({count} file{'s' * (count > 1)})" for stem, count in self.sizes.items()])
        return f"their names look like parts of {len(self.sizes)} micrographs: {shown}"


def name_groups(names: Collection[str]) -> NameGroups | None:
    """Find the groups that names fall into, the coarsest where there are several; None where there are none.

    A group is a stem, of one or more parts between separators (- _ . or space), behind which all parts are numbered.
    Names with one stem (img_1, img_2 ...) are no groups: that is how separate images are named.

    Args:
        names: of files, without suffix.
    """
    parts = {name: _SEPARATORS.split(name) for name in names}
    longest = min((len(found) for found in parts.values()), default=0)
    for count in range(1, longest):
        if not all(_NUMBERED.fullmatch(part) for found in parts.values() for part in found[count:]):
            continue
        pattern = "^(" + r"[-_. ]+".join([r"[^-_. ]+"] * count) + ")[-_. ]"
        matches = [re.match(pattern, name) for name in names]
        if not all(matches):  # a name that begins with a separator
            continue
        sizes = Counter(match.group(1) for match in matches if match)
        if 1 < len(sizes) <= len(parts) / _LEAST_MEAN:
            return NameGroups(pattern, dict(sorted(sizes.items())))
    return None
