"""What is done if the folder of results already exists.

A finished scan is left alone: the same command again says where its report is. Other settings or another model are
refused, also for one scan in a folder of them. Results that were removed, or are asked for only now, are made from the
store, all of them, as the network is the expensive part. A folder without our journal belongs to somebody else: a
file there with the name of a result is replaced with `--overwrite` only, and what is read never is, by whatever name or
link.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.data.pairs import is_part_of_data_set
from pipeline.engine import Journal
from pipeline.errors import UserError
from pipeline.images import inputs_of, open_image
from pipeline.images.folders import numbered_series, subfolders_with_images
from pipeline.images.formats import is_zarr
from pipeline.phases import PORE
from pipeline.wording import printable, some_of
from pipeline.workflows.scan.results import FIGURES, FILES, JOURNAL, MANIFEST, STORE, expected_files, result_files

logger = logging.getLogger("vlsenet")

#: folders of a segmentation, beside its files; `decoded` holds what could only be decoded whole
_FOLDERS = (STORE, JOURNAL, "decoded")
#: those with pictures in them
_OWN_FOLDERS = (FIGURES, "decoded")


def refuse_foreign(folder: Path, journal: Path) -> None:
    """Refuse a folder with files that were not written by a segmentation of a scan, and would be replaced by one.

    Raises:
        UserError: it holds such files.
    """
    if Journal.request_in(journal) is not None:
        return
    if there := [str(path.relative_to(folder)) for path in result_files(folder)]:
        raise UserError(
            f"{folder} holds {some_of(there, 3)}, not written by a scan's segmentation: choose another --output_dir, "
            "or give --overwrite to replace these files"
        )


def check_folder(path: str, output: Path, stack: bool) -> None:
    """Check where the results of one scan or stack shall go: not among its slices, and not into or over what is read.

    Args:
        path: of the scan, or of the folder of slices.
        output: folder of the results.
        stack: whether it is a stack.

    Raises:
        UserError: as `warn_of_folder` and `refuse_own_input`.
    """
    if Path(path).is_dir() and not is_zarr(Path(path)):
        warn_of_folder(Path(path), output, stack)
    refuse_own_input(inputs_of(path), [output])


def refuse_own_input(inputs: Sequence[Path], folders: Sequence[Path]) -> None:
    """Refuse results that would replace what is read, or go into it.

    Args:
        inputs: the scans, or the slices of a stack: files and Zarrs.
        folders: of the results.

    Raises:
        UserError: they would.
    """
    _keep_out_of_data_sets(folders)
    read = {place: path for path in inputs if (place := _place(path)) is not None}
    outputs: dict[tuple[int, int], Path] = {}
    for folder in folders:
        for part in _with_parents(folder):
            if (path := read.get(_place(part) or (0, 0))) is not None:
                raise UserError(f"{folder}: the results would go into the scan {path}; choose another --output_dir")
        if folder.is_dir():
            written = [folder / name for name in (*FILES, *_FOLDERS)]
            outputs |= {place: path for path in written if (place := _place(path)) is not None}
    if outputs:
        for path in inputs:
            for part in _with_parents(path):
                if (output := outputs.get(_place(part) or (0, 0))) is not None:
                    raise UserError(f"{path}: the results would replace it ({output}); choose another --output_dir")


def _keep_out_of_data_sets(folders: Sequence[Path]) -> None:
    """Refuse results among a data set's images or masks, which could not be read any more; warn of those below."""
    warned: set[Path] = set()
    for folder in folders:
        for part in _with_parents(folder):
            if not part.is_dir() or part.resolve() in warned or not is_part_of_data_set(part):
                continue
            if _place(part) == _place(folder):
                raise UserError(
                    f"{folder}: it holds images or masks of a data set, and overview.png would count as one of them; "
                    "choose another --output_dir"
                )
            warned.add(part.resolve())
            logger.warning(
                "%s: the results go below the images of a data set, %s; another --output_dir keeps them apart",
                folder,
                part,
            )


def warn_of_folder(folder: Path, output: Path, stack: bool) -> None:
    """Warn of what a user may not expect of a folder of scans: that subfolders are left out, and results come into it.

    Args:
        folder: of scans, or of the slices of a stack.
        output: folder of the results.
        stack: whether it is a stack.

    Raises:
        UserError: the results of a stack would go among its slices, and count as one in the next run.
    """
    if _place(folder) == _place(output):
        if stack:
            raise UserError(
                f"{output}: the results would go among the slices of the stack, and overview.png would count as one; "
                "choose another --output_dir"
            )
        if not is_part_of_data_set(output):  # which was warned of above
            logger.warning("%s: the results go among the scans; another --output_dir keeps them apart", output)
    own = _OWN_FOLDERS if _holds_results(folder) else ()
    inside = [path for path in subfolders_with_images(folder) if path.name not in own and not _holds_results(path)]
    if names := [f"{path.name}/" for path in inside]:
        hold, them = ("holds images and is", "that folder") if len(names) == 1 else ("hold images and are", "each")
        logger.warning("%s: %s %s not segmented; give %s by itself", folder, some_of(names), hold, them)


def ask_for_stack(folder: Path, scans: Sequence[Path]) -> bool:
    """Ask, in the log, whether the scans of a folder are the slices of one volume; True where they look like it."""
    series = numbered_series([path.name for path in scans])
    if series is None or (size := _common_size(scans)) is None:
        return False
    logger.warning(
        "%s: %d images of %d x %d pixels, numbered from %s to %s: are these the slices of one volume? With --stack "
        "they are segmented as one, with its pores and their connections in space. If not, leave it as it is: each is "
        "segmented as a scan of its own",
        folder,
        len(scans),
        *reversed(size),
        *(printable(name) for name in series),
    )
    return True


def _common_size(scans: Sequence[Path]) -> tuple[int, int] | None:
    """Height and width of the first, the middle and the last (px), if they have the same, and hold one image each."""
    sizes = set()
    for path in (scans[0], scans[len(scans) // 2], scans[-1]):
        try:
            with open_image(path) as source:
                sizes.add(source.shape)
        except UserError:  # told when it is segmented
            return None
    return sizes.pop() if len(sizes) == 1 else None


def _holds_results(folder: Path) -> bool:
    """Whether a folder is one of results of a segmentation: its pictures are no scans."""
    return any((folder / name).is_dir() for name in (JOURNAL, STORE))


def without_results(scans: Sequence[Path]) -> list[Path]:
    """The scans of a folder without what a segmentation has written among them: its overview is no scan."""
    own = [path for path in scans if path.name in (*FILES, STORE) and Journal.request_in(path.parent / JOURNAL)]
    if own:
        logger.info("skipped, as results of a segmentation: %s", some_of([path.name for path in own]))
    return [path for path in scans if path not in own]


def was_written(folder: Path, outputs: Mapping[str, Any], sizes: Mapping[str, float | None]) -> bool:
    """Whether a finished segmentation has all results that are asked for; otherwise all are to be written again.

    Args:
        folder: of the results.
        outputs: which files are asked for (`ScanSettings.outputs`).
        sizes: side of a pixel and distance of slices (nm), as they are known now, by their names in the manifest.
    """
    manifest = json.loads((folder / MANIFEST).read_text()) if (folder / MANIFEST).exists() else {}
    written = manifest.get("outputs", outputs)
    further = [f"--{name}" for name, value in outputs.items() if not _is_in(value, written.get(name))]
    further += [f"--{name}" for name, size in sizes.items() if manifest and size not in (None, manifest.get(name))]
    phases = (Journal.request_in(folder / JOURNAL) or {}).get("phases", [PORE])
    is_stack = manifest.get("volume") is not None
    names = [*expected_files(outputs, is_stack, phases), *manifest.get("tables", []), STORE]
    missing = [name for name in names if not (folder / name).exists()]
    if further:
        logger.info("%s: writing the results again from the finished mask, for %s", folder, ", ".join(further))
    elif missing:
        logger.warning("%s: %s missing; writing the results again", folder, some_of(missing, 3))
    else:
        return True
    Journal.reopen(folder / JOURNAL)
    return False


def _is_in(asked: Any, written: Any) -> bool:
    """Whether an output was written: a list of formats holds fewer ones, a report is more than none."""
    if isinstance(asked, list):
        return set(asked) <= set(written or ())
    return bool(written) if asked is True else asked is False or asked == written


def _place(path: Path) -> tuple[int, int] | None:
    """What identifies a file or folder, whatever its name or link; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _with_parents(path: Path) -> list[Path]:
    """A path and all folders above it, as given and with links resolved."""
    ways = path.absolute(), path.resolve()
    return list(dict.fromkeys(part for way in ways for part in (way, *way.parents)))
