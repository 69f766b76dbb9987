"""Which files of a folder are images: scans, a data set's, or a stack's slices, and what the slices' numbers say."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from pipeline.errors import FileProblem
from pipeline.images.formats import is_image, is_zarr
from pipeline.wording import some_of

logger = logging.getLogger("vlsenet")

#: the folders of images and of masks in a data set
LAYOUTS = (("images", "labels"), ("patch_images", "patch_mask"))
#: of files that go with images; no warning names them
_SIDE_FILES = (".txt", ".xml", ".hdr", ".csv", ".json", ".md", ".ini", ".db")


def slices_in(folder: Path) -> list[Path]:
    """The images in a folder, in the order of the numbers in their names."""
    return [path for path in images_in(folder) if not path.is_dir()]


def images_in(folder: Path) -> list[Path]:
    """The images in a folder, Zarrs among them, in the order of the numbers in their names."""
    return _in_order([path for path in folder.iterdir() if not path.name.startswith(".") and is_image(path)])


def subfolders_with_images(folder: Path) -> list[Path]:
    """The folders in a folder that hold images, in order; Zarrs are images themselves."""
    inside = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return _in_order([path for path in inside if _holds_images(path)])


def _holds_images(folder: Path) -> bool:
    try:
        return not is_zarr(folder) and bool(slices_in(folder))
    except OSError:  # not for this user
        return False


def no_images(folder: Path) -> FileProblem:
    """The problem of a folder that holds no images itself."""
    what = "this folder is not a Zarr and holds no images"
    inside = subfolders_with_images(folder)
    of_data_set = [path for path in inside if path.name in [images for images, _ in LAYOUTS]]
    if not (others := [str(path) for path in of_data_set or inside]):
        return FileProblem(folder, what, "check the path")
    if len(others) == 1:
        return FileProblem(folder, f"{what}, but {others[0]} does", "give that folder")
    return FileProblem(folder, f"{what}, but {some_of(others)} do", "give one")


def warn_of_others(folder: Path, taken: Collection[Path]) -> None:
    """Warn of files in a folder that are not taken for images, side files of microscopes aside."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    left = [path for path in files if not path.name.lower().endswith(_SIDE_FILES)]
    if names := [path.name for path in _in_order(left) if path not in taken]:
        logger.warning(
            "%s: skipped, as their names are not those of images: %s; give such a file on its own, or rename it",
            folder,
            some_of(names),
        )


def inputs_of(name: str) -> list[Path]:
    """The files or the Zarr that one scan or stack is read from; none of an address."""
    if "://" in name:
        return []
    path = Path(name)
    return slices_in(path) if path.is_dir() and not is_zarr(path) else [path]


def scans_in(name: str) -> list[Path]:
    """The scans, images and Zarrs, in a folder; none where `name` is itself one, or an address.

    They are recognised by their names, where a scan that is named alone is recognised by its content: an archive or a
    spreadsheet beside the scans would be a scan that fails. A warning names the files that are left out.

    Raises:
        FileProblem: the folder holds none.
    """
    if "://" in name or not Path(name).is_dir() or is_zarr(Path(name)):
        return []
    folder = Path(name)
    scans = images_in(folder)
    if not scans:
        raise no_images(folder)
    warn_of_others(folder, set(scans))
    return scans


def _in_order(paths: list[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: natural(path.name))


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts slice2 before slice10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name.lower())]


_NUMBER = re.compile(r"\d+(?:\.\d+)?")
#: share of the neighbours that are one step apart, from which other distances are gaps
_LEAST_REGULAR = 0.5
#: names from which on their numbers say something
_FEWEST = 3
#: missing numbers that are counted one by one
_MOST_MISSING = 10_000


def doubts_of_names(names: Sequence[str]) -> list[str]:
    """What is doubtful about slices, by their names, as clauses.

    Args:
        names: of the files, with suffix; nothing is said of fewer than three, or where no name has a number.
    """
    if len(names) < _FEWEST:
        return []
    series: dict[str, list[str]] = {}
    for name in names:
        series.setdefault(_NUMBER.sub("0", _stem(name).casefold()), []).append(name)
    largest = max(series.values(), key=len)
    if len(largest) < _FEWEST:
        return []
    others = [name for name in names if name not in set(largest)]
    doubts = []
    if others:
        verb = "is" if len(others) == 1 else "are"
        doubts.append(
            f"{some_of(others, 3)} {verb} not numbered as the other slices ({largest[0]} ...), but taken for "
            f"{'a slice' if len(others) == 1 else 'slices'}: move away what is none"
        )
    return doubts + _doubts_of_series(largest)


def numbered_series(names: Sequence[str]) -> tuple[str, str] | None:
    """The first and the last of names that count on in one number, as those of slices do; None of others.

    All are alike but for the numbers in them, of which one goes on in equal steps, with gaps at most.

    Args:
        names: of files, with suffix.
    """
    if len(names) < _FEWEST or len({_NUMBER.sub("0", name.casefold()) for name in names}) > 1:
        return None
    if not _NUMBER.search(_stem(names[0])):
        return None
    numbers = _counting(names)
    if len(set(numbers)) < len(names) or _step(sorted(numbers))[1] < _LEAST_REGULAR:
        return None
    ordered = sorted(zip(numbers, names, strict=True))
    return ordered[0][1], ordered[-1][1]


def _doubts_of_series(names: Sequence[str]) -> list[str]:
    numbers = _counting(names)
    of_number: dict[Decimal, list[str]] = {}
    for name, number in zip(names, numbers, strict=True):
        of_number.setdefault(number, []).append(name)
    if double := [" and ".join(same) for same in of_number.values() if len(same) > 1]:
        return [f"slices with the same number: {some_of(double, 3)}; keep one of each"]
    ordered = sorted(of_number)
    step, regular = _step(ordered)
    gaps = [(a, b) for a, b in pairwise(ordered) if b - a > step and (b - a) % step == 0]
    if regular < _LEAST_REGULAR or not gaps:
        return []
    count = int(sum((b - a) / step - 1 for a, b in gaps))
    where = [f"between {of_number[a][0]} and {of_number[b][0]}" for a, b in gaps]
    missing = "1 slice seems" if count == 1 else f"{count if count < _MOST_MISSING else 'many'} slices seem"
    return [
        f"{missing} to be missing, {some_of(where, 3)}: volumes and connections are computed as if there were no gap; "
        "add them, or segment the parts as stacks of their own"
    ]


def _counting(names: Sequence[str]) -> list[Decimal]:
    """Of the numbers in each name, the one that counts the slices: none twice if possible, with the most regular step.

    Names may hold a date, a time or a position beside it.
    """
    fields = list(zip(*(map(Decimal, _NUMBER.findall(_stem(name))) for name in names), strict=True))
    return list(max(fields, key=lambda field: (len(set(field)), _step(sorted(set(field)))[1])))


def _step(ordered: Sequence[Decimal]) -> tuple[Decimal, float]:
    """The most common distance of neighbours, and the share of neighbours that have it."""
    distances = Counter(b - a for a, b in pairwise(ordered))
    if not distances:
        return Decimal(1), 0.0
    step = min(distances, key=lambda distance: (-distances[distance], distance))
    return step, distances[step] / sum(distances.values())


def _stem(name: str) -> str:
    return re.sub(r"(\.ome|\.nii)?\.[a-z]\w*$", "", name, flags=re.IGNORECASE)
