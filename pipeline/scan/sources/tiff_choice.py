"""Which of the images of a TIFF is meant, and whether all of them are one volume."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import UserError
from pipeline.microscope.tiff_images import TiffImage, TiffImages, images_of
from pipeline.scan.sources.axes import no_volume
from pipeline.scan.sources.source import unreadable
from pipeline.wording import some_of


def tiff_images(path: Path, name: str) -> TiffImages:
    """The 2-D images of a TIFF, thumbnails and pyramid levels not counted.

    Args:
        path: the file.
        name: the path as the user gave it.

    Raises:
        UserError: it is damaged, gone, or holds none.
    """
    try:
        return images_of(path)
    except UserError:
        raise
    except Exception as error:  # tifffile answers damaged tags with errors of every type
        raise unreadable(name, error) from error


def chosen_image(found: TiffImages, name: str, page: int | None) -> TiffImage:
    """The image that the user chose, or the only one.

    Args:
        found: what the file holds.
        name: the path as the user gave it.
        page: its number, from 0; None where none was given.

    Raises:
        UserError: there are several and `page` is None, or the one of this number is not in the file.
    """
    count, part = len(found.images), part_of_set(found)
    if page is None and count > 1:
        stack = "" if why_no_volume(found) else ", or give --stack"
        held = part or f"{count} images"
        raise UserError(f"{name}: it holds {held}, but one is needed; choose one with --page 0 to {count - 1}{stack}")
    if page is not None and not 0 <= page < count:
        what, other = ("", "") if part is None else (f" in this file, which holds {part}", ", or give another file")
        raise UserError(f"{name}: no page {page}{what}; choose from 0 to {count - 1}{other}")
    image = found.images[page or 0]
    if image.page_at is None:
        raise UserError(f"{name}: {_missing(found, page or 0)}; choose another with --page, or export it again")
    return image


def part_of_set(found: TiffImages) -> str | None:
    """What a file of a set holds of it, where its OME-XML tells of images that are in other files."""
    if not found.others:
        return None
    return f"{len(found.images)} of the {found.listed} images of a set of files (with {some_of(found.others, 3)})"


def why_no_volume(found: TiffImages) -> str | None:
    """Why the images of a file are not the slices of one volume, and what to do; None where they are."""
    arrays = [axes for axes in found.axes if any(length > 1 for _, length in axes)]
    for axes in arrays:
        if (why := no_volume(axes, len(found.images))) is not None:
            return why
    if arrays and len(found.axes) > 1 and found.ome is not None:
        what = f"it holds {len(found.axes)} images of OME, of which each may be a volume"
        return f"{what}; save one of them as a stack, or choose one slice with --page 0 to {len(found.images) - 1}"
    missing = [number for number, image in enumerate(found.images) if image.page_at is None]
    if missing:
        return f"{_missing(found, missing[0])}; export it again, or save the slices that are there one file each"
    return None


def _missing(found: TiffImages, number: int) -> str:
    there = sum(image.page_at is not None for image in found.images)
    place = found.images[number].place
    which = f"image {number}" + (f" ({place})" if place else "")
    return f"{which} is missing: its OME-XML lists {len(found.images)} images, but the file holds {there}"
