"""From a path or URL to a source, whatever the format."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection
from pathlib import Path

from pipeline.errors import UserError
from pipeline.images.files import IMAGE_SUFFIXES, LAYOUTS
from pipeline.images.formats import kind_of, unknown_content
from pipeline.images.mrc import is_mrc, open_mrc
from pipeline.images.nifti import open_nifti
from pipeline.images.source import COPY_AGAIN, ImageSource
from pipeline.images.tiff import open_tiff
from pipeline.images.whole import open_whole
from pipeline.images.zarr_image import is_zarr, is_zipped_zarr, open_zarr
from pipeline.wording import some_of

logger = logging.getLogger("vlsenet")

#: of the files in a folder that are taken for images; a file that is named alone is told by its content
_SUFFIXES = (*IMAGE_SUFFIXES, ".mrc", ".btf", ".tf8", ".tf2")
#: of files that go with images, and need no word when they are left out
_BESIDE = (".txt", ".xml", ".hdr", ".csv", ".json", ".md", ".ini", ".db")
_ZIP = b"PK\x03\x04"


def open_image(
    path: str | os.PathLike[str], *, spill_dir: str | os.PathLike[str] | None = None, page: int | None = None
) -> ImageSource:
    """Open one 2-D image of any size.

    Files are told by their content: TIFF (BigTIFF, OME-TIFF), NIfTI, MRC, PNG, JPEG, BMP, zipped Zarr. A folder or
    a URL is a Zarr.

    Args:
        path: a file, a folder, or a URL that fsspec knows.
        spill_dir: where large images go that can only be decoded whole, to be found again by a later run; the
            caller removes it. Without it they stay in memory.
        page: which image of a file of several, from 0.

    Raises:
        UserError: one line that names the file, what is wrong with it and what to do.
    """
    name = os.fspath(path)
    spill = None if spill_dir is None else Path(spill_dir)
    kind = kind_of_scan(name)
    file = Path(name)
    if kind == "zarr":
        return open_zarr(name, page=page, spill_dir=spill)
    if kind == "folder":
        raise UserError(f"{name}: it is a folder of {len(slices_in(file))} images, but one is needed; give --stack")
    if kind == "tiff":
        return open_tiff(file, name=name, page=page, spill_dir=spill)
    if kind == "nifti":
        return open_nifti(file, name=name, page=page, spill_dir=spill)
    if kind == "mrc":
        return open_mrc(file, name=name, page=page)
    if page:
        raise UserError(f"{name}: no page {page}; a {kind.upper()} file holds one image")
    return open_whole(file, kind, name=name, spill_dir=spill)


def kind_of_scan(name: str) -> str:
    """zarr, folder, tiff, nifti, mrc, png, jpeg or bmp.

    Raises:
        UserError: it is missing, can't be read, or of no kind that is known.
    """
    if "://" in name:
        return "zarr"
    path = Path(name)
    try:
        if path.is_dir():
            if is_zarr(path):
                return "zarr"
            if slices_in(path):
                return "folder"
            raise UserError(f"{name}: this folder is not a Zarr and holds no images{_where_images_are(path)}")
        with path.open("rb") as file:
            start = file.read(212)
    except FileNotFoundError as error:
        if path.is_symlink():
            what = f"it is a link to {os.readlink(path)}, which does not exist"
            raise UserError(f"{name}: {what}; fix the link, or give the file itself") from error
        raise UserError(f"{name}: no such file; check the path") from error
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise UserError(f"{name}: it can't be opened ({cause}); check its permissions and the disk") from error
    if not start:
        raise UserError(f"{name}: the file is empty (0 bytes); {COPY_AGAIN}")
    kind = "zarr" if start.startswith(_ZIP) else kind_of(start) or ("mrc" if is_mrc(start) else None)
    if kind is None:
        raise UserError(f"{name}: {unknown_content(start)}")
    return kind


def slices_in(folder: Path) -> list[Path]:
    """The images in a folder, in the order of the numbers in their names."""
    return _in_order([path for path in _files(folder) if path.name.lower().endswith(_SUFFIXES)])


def subfolders_with_images(folder: Path) -> list[Path]:
    """The folders in a folder that hold images, in order; Zarrs are images themselves."""
    inside = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return _in_order([path for path in inside if _holds_images(path)])


def _holds_images(folder: Path) -> bool:
    try:
        return not is_zarr(folder) and bool(slices_in(folder))
    except OSError:  # not for this user
        return False


def _where_images_are(folder: Path) -> str:
    """What to do with a folder that holds none itself."""
    inside = subfolders_with_images(folder)
    of_data_set = [path for path in inside if path.name in [images for images, _ in LAYOUTS]]
    if not (others := [str(path) for path in of_data_set or inside]):
        return "; check the path"
    return f", but {others[0]} does; give that folder" if len(others) == 1 else f", but {some_of(others)} do; give one"


def tell_left_out(folder: Path, taken: Collection[Path]) -> None:
    """Warn of files in a folder that are not taken for images, side files of microscopes aside."""
    left = [path for path in _files(folder) if not path.name.lower().endswith(_BESIDE)]
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

    A warning tells which files are left out.

    Raises:
        UserError: as `kind_of_scan`.
    """
    if "://" in name or not Path(name).is_dir() or is_zarr(Path(name)):
        return []
    folder = Path(name)
    zarrs = [path for path in folder.iterdir() if path.is_dir() and is_zarr(path)]
    zips = [path for path in _files(folder) if is_zipped_zarr(path)]
    scans = _in_order([*slices_in(folder), *zarrs, *zips])
    if not scans:
        kind_of_scan(name)  # says what is missing
    tell_left_out(folder, set(scans))
    return scans


def _files(folder: Path) -> list[Path]:
    """The files in a folder that are not hidden."""
    return [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]


def _in_order(paths: list[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: natural(path.name))


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts slice2 before slice10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name.lower())]
