"""The door to any image: from a path or an address to its pixels, whatever the format."""

from __future__ import annotations

import os
import pkgutil
from pathlib import Path

import numpy as np

from pipeline.errors import FileProblem
from pipeline.images.folders import no_images, slices_in
from pipeline.images.formats import FORMATS, kind_of
from pipeline.images.image_file import ImageFile
from pipeline.images.source import ImageSource
from pipeline.wording import NAME_IS_NO_TEXT, printable


def open_file(
    path: str | os.PathLike[str], *, spill_dir: str | os.PathLike[str] | None = None, stored: bool = False
) -> ImageFile:
    """Look at a file of one or several 2-D images, recognised by its content; a folder or an address is a Zarr.

    Args:
        path: a file, a folder, or an address that fsspec knows.
        spill_dir: as for `open_image`.
        stored: whether its images are read as they are stored, for labels, and not as grey values.

    Raises:
        FileProblem: it is missing, damaged, empty, a folder of images, or of no kind that is known.
    """
    name = os.fspath(path)
    kind = kind_of(name)
    if kind == "folder":
        if count := len(slices_in(Path(name))):
            raise FileProblem(name, f"it is a folder of {count} images, but one is needed", "give --stack")
        raise no_images(Path(name))
    reader: type[ImageFile] = pkgutil.resolve_name(FORMATS[kind].reader)
    return reader(name, kind, spill_dir=None if spill_dir is None else Path(spill_dir), stored=stored)


def open_image(
    path: str | os.PathLike[str], *, spill_dir: str | os.PathLike[str] | None = None, page: int | None = None
) -> ImageSource:
    """Open one 2-D image of any size and any format of `pipeline.images.formats.FORMATS`.

    Args:
        path: a file, a folder, or an address that fsspec knows.
        spill_dir: where large images go that can only be decoded whole, to be found again by a later run; the
            caller removes it. Without it they stay in memory.
        page: which image of a file of several, from 0.

    Raises:
        FileProblem: one line that names the file, what is wrong with it and what to do.
    """
    return open_file(path, spill_dir=spill_dir).open(page)


def open_only_image(path: str | os.PathLike[str], *, stored: bool = False) -> ImageSource:
    """Open the image of a file that holds one, as the images and labels of a data set do.

    Args:
        path: as for `open_image`.
        stored: as for `open_file`.

    Raises:
        FileProblem: as `open_image`; or the file holds several images, or has a name that no result could hold.
    """
    if (name := printable(os.fspath(path))) != os.fspath(path):
        raise FileProblem(name, *NAME_IS_NO_TEXT)
    return open_file(path, stored=stored).open_only()


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a 2-D image as grey values; see `pipeline.images.grey.grey_of` for what becomes of colour and few bits.

    Args:
        path: a file, a folder, or an address of any format that `open_image` takes.

    Returns:
        (H, W), rows from top to bottom; uint8 or uint16 where the file has them, else float32.

    Raises:
        FileProblem: as `open_only_image`; or some pixels are NaN or infinite.
    """
    with open_only_image(path) as source:
        return source.read_all()


def read_label(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a label image: one integer class per pixel.

    Values are kept as stored, also those of 2 and 4 bits. A 1-bit file gives 0 and 255. A palette of greys is applied
    (image optimisers write masks so); with any colour in it, the indices are the classes (as in Pascal VOC). A JPEG of
    a black-and-white mask is cut at 128, since compression smears its edges; any other JPEG is refused.

    Args:
        path: as for `read_image`.

    Returns:
        (H, W) integers.

    Raises:
        FileProblem: as `open_only_image`; also for colour, for values that are not whole numbers, and for a JPEG that
            is not black and white.
    """
    with open_only_image(path, stored=True) as source:
        return source.read_classes()
