"""Which images a TIFF holds, in which order, and which file of a set each is in; found once, however many are read."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile

from pipeline.errors import FileProblem
from pipeline.images.microscope.side_files import first, local_name, parsed

_LONG = ("TiffData", "Plane", "StructuredAnnotations")


@dataclass(frozen=True)
class OwnPart:
    """What an OME-XML says of the file that it stands in.

    Attributes:
        xml: of the images that the file holds planes of; the places of planes in other files are left out. None
            where no plane is said to be in this file, or the XML is broken.
        short: the same without the list of planes, which may be long: sizes and conditions.
        arrays: how many images of OME (each of many planes) it describes.
        names_files: whether the places of planes name files at all.
        listed: how many planes those images have, in all files.
        others: the names of the other files that hold planes of them.
    """

    xml: str | None
    short: str
    arrays: int
    names_files: bool
    listed: int
    others: tuple[str, ...]


def own_part(text: str, file_name: str) -> OwnPart:
    """Tell a file's own planes from those of the other files of its set.

    A file is known by its name; where it was renamed, by the UUID that the XML gives to the file it stands in. An XML
    that names but one file means the file that it stands in, whatever it is called now.

    Args:
        text: the OME-XML.
        file_name: of the file that it stands in, without folders.
    """
    root = parsed(text)
    if root is None:
        return OwnPart(None, text, 0, False, 0, ())
    files: dict[ElementTree.Element, tuple[str, str | None]] = {}  # name and UUID of the file that each place is in
    for data in [element for element in root.iter() if local_name(element) == "TiffData"]:
        for uuid in list(data):
            files[data] = _name(uuid), uuid.text
            data.remove(uuid)  # what is left here is in this file
    own = {file for file in files.values() if file[0].lower() == file_name.lower()}
    own = own or {file for file in files.values() if file[1] is not None and file[1] == root.get("UUID")}
    if len(set(files.values())) == 1:
        own = set(files.values())
    others = set()
    for image in [element for element in root if local_name(element) == "Image"]:
        foreign = {data for data in image.iter() if data in files and files[data] not in own}
        if foreign and not any(local_name(data) == "TiffData" and data not in foreign for data in image.iter()):
            root.remove(image)
            continue
        others |= {files[data][0] for data in foreign}
        for pixels in image:
            for data in [element for element in pixels if element in foreign]:
                pixels.remove(data)
    arrays = [element for element in root.iter() if local_name(element) == "Pixels"]
    xml = ElementTree.tostring(root, encoding="unicode") if arrays else None
    _shorten(root)
    return OwnPart(
        xml,
        ElementTree.tostring(root, encoding="unicode"),
        len(arrays),
        bool(files),
        sum(_listed(pixels) for pixels in arrays),
        tuple(sorted(others)),
    )


def _name(uuid: ElementTree.Element) -> str:
    """The file's name without folders, or the UUID where no name is given."""
    return uuid.get("FileName", "").replace("\\", "/").rpartition("/")[2] or uuid.text or ""


def _listed(pixels: ElementTree.Element) -> int:
    """How many planes an image has."""
    channel = first(pixels, "Channel")
    try:
        samples = 1 if channel is None else int(channel.get("SamplesPerPixel", 1))
        z, c, t = (int(pixels.get(f"Size{axis}", 1)) for axis in "ZCT")
    except ValueError:
        return 0
    return z * t * max(1, c // max(1, samples))


def _shorten(root: ElementTree.Element) -> None:
    for parent in list(root.iter()):
        for element in [one for one in parent if local_name(one) in _LONG]:
            parent.remove(element)


# tifffile logs a line for every odd tag; what bears on pixels and scale is in errors and warnings of our own
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

#: of the first two, tifffile reads files beside the one that is given; of the last, it looks at four pages only
_NEVER = ("is_mmstack", "is_ndtiff", "is_uniform")
#: files whose images lie otherwise than one after the other, page by page
_WITH_AXES = (
    "is_shaped", "is_lsm", "is_ome", "is_imagej", "is_fluoview", "is_stk", "is_sis", "is_svs", "is_scn", "is_qpi",
    "is_ndpi", "is_bif", "is_avs", "is_eer", "is_philips", "is_scanimage", "is_nih", "is_mdgel",
)  # fmt: skip
_IN_AN_IMAGE = "YXS"
#: files whose images are remembered at most; a few are open at a time
_MOST_REMEMBERED = 4
_remembered: dict[tuple[object, ...], TiffImages] = {}
_remembering = threading.Lock()


Page = tifffile.TiffPage | tifffile.TiffFrame
_Axes = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class TiffImage:
    """One 2-D image of a TIFF.

    Attributes:
        page_at: where the page begins that describes how the image is stored (bytes); None where the image is listed in
            the file's metadata, but not in the file.
        page: the number of that page; of a page below a page, the numbers of both.
        data_at: where its pixels begin (bytes), if it has no page of its own: ImageJ writes one page, and the other
            images behind it.
        series: which of the file's series (OME's images) it belongs to, from 0.
        place: where it lies in its series: axes and places from 0, for messages.
    """

    page_at: int | None
    page: tuple[int, ...]
    data_at: int | None
    series: int
    place: str


@dataclass(frozen=True)
class TiffImages:
    """The images of a TIFF; reduced ones (thumbnails, levels of a pyramid) are none.

    Attributes:
        images: in their order: by OME's or ImageJ's axes, or else as they follow each other in the file.
        axes: of each series, the letters (as tifffile's) and lengths of its axes beside rows, columns and colours.
        ome: the OME-XML of the file's own images without the list of planes, where there is one.
        listed: how many images there are in this file and in the others of its set.
        others: the names of these other files.
    """

    images: tuple[TiffImage, ...]
    axes: tuple[_Axes, ...]
    ome: str | None = None
    listed: int = 0
    others: tuple[str, ...] = ()


def images_of(path: Path) -> TiffImages:
    """The images of a TIFF; see `look_into`."""
    found, tiff = look_into(path)
    if tiff is not None:
        tiff.close()
    return found


def look_into(path: Path) -> tuple[TiffImages, tifffile.TiffFile | None]:
    """Find the images of a TIFF. Files that its OME-XML names are not opened: a file means itself.

    To find them takes time in proportion to their number, so the answer is remembered as long as the file is the
    same: opening all slices of a stack takes time in proportion too.

    Returns:
        The images, and the file where it was opened for them: the caller closes it.

    Raises:
        FileProblem: nothing in it says where its images lie.
        Exception: it is damaged, or holds none; tifffile answers that with errors of every type.
    """
    status = path.stat()
    key = path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    with _remembering:
        if key in _remembered:
            return _remembered[key], None
    tiff, own = _alone(path)
    with ExitStack() as unless_found:
        unless_found.enter_context(tiff)
        found = _found(tiff, own, path)
        unless_found.pop_all()
    with _remembering:
        _remembered[key] = found
        for oldest in list(_remembered)[:-_MOST_REMEMBERED]:
            del _remembered[oldest]
    return found, tiff


def page_of(tiff: tifffile.TiffFile, image: TiffImage) -> tuple[Page, tifffile.TiffPage]:
    """Read the page that describes how an image is stored, and no other.

    Args:
        tiff: the open file.
        image: one that is in the file.

    Returns:
        The page with the places of the pixels, and that with their encoding: mostly the same.
    """
    page: Page
    if tiff.is_lsm or tiff.is_ndpi:  # beyond 4 GB their offsets are wrong; tifffile has mended them
        page = tiff.pages[image.page[0]]
    elif tiff.pages.first.offset == image.page_at:  # read when the file was opened
        page = tiff.pages.first
    else:
        tiff.filehandle.seek(image.page_at or 0)
        page = tifffile.TiffPage(tiff, image.page)
    key = page.keyframe
    if key is None:
        raise ValueError(f"page {image.page[0]} does not describe its pixels")
    return page, key


def _found(tiff: tifffile.TiffFile, own: OwnPart | None, path: Path) -> TiffImages:
    for flag in _NEVER:
        setattr(tiff, flag, False)
    images = _alike(tiff) if not any(getattr(tiff, flag, False) for flag in _WITH_AXES) else []
    len(tiff.pages)  # ends where pages lead back to one before; going on from page to page would not
    axes: list[_Axes] = [(("I", len(images)),)]
    known = own is not None and own.arrays <= 1
    if not images and tiff.series and tiff.series[0].kind == "generic":
        images = _in_order_of_the_file(tiff.series)
        axes = [(("I", len(images)),)]
    elif not images:
        of_set = own is not None and bool(own.others)
        series = list(enumerate(tiff.series))
        series = [(i, one) for i, one in series if not one.keyframe.is_reduced] or series
        parts = [_by_axes(one, number, path, of_set) for number, one in series]
        images, axes = [image for part, _ in parts for image in part], [lengths for _, lengths in parts]
        # where tifffile could not follow the XML, it is unknown which of OME's images is which of the file's
        known = known or (own is not None and own.arrays == len(tiff.series))
    if not images:
        raise ValueError("no image in the TIFF")
    if own is None:
        return TiffImages(tuple(images), tuple(axes), None, len(images))
    return TiffImages(
        tuple(images), tuple(axes), own.short if known else None, max(own.listed, len(images)), own.others
    )


def _alone(path: Path) -> tuple[tifffile.TiffFile, OwnPart | None]:
    """The open file, of whose OME-XML tifffile sees what is about this file, and that part."""
    tiff = tifffile.TiffFile(path)
    text = tiff.ome_metadata
    if text is None:
        return tiff, None
    tiff.close()
    own = own_part(text, path.name)
    if own.xml is not None and not own.names_files:
        return tifffile.TiffFile(path), own
    return tifffile.TiffFile(path, is_ome=False) if own.xml is None else tifffile.TiffFile(path, omexml=own.xml), own


def _alike(tiff: tifffile.TiffFile) -> list[TiffImage]:
    """Images of a TIFF without axes; none where they are not all alike, or have pages below them.

    tifffile would find them too, in a time with the square of their number.

    Raises:
        ValueError: its pages lead back to one before.
    """
    images, hashes, seen, flat = [], set(), set(), True
    for page in tiff.pages:
        if page.offset in seen:
            raise ValueError(f"page {page.index} is one of those before it")
        seen.add(page.offset)
        if not isinstance(page, tifffile.TiffPage) or page.subifds:
            flat = False
        elif page.shape and not page.is_reduced:
            hashes.add(page.hash)
            images.append(TiffImage(page.offset, page.treeindex, None, 0, f"page {page.index}"))
    return images if flat and len(hashes) == 1 else []


def _in_order_of_the_file(series: Sequence[tifffile.TiffPageSeries]) -> list[TiffImage]:
    """Images of a TIFF without axes; tifffile makes a series of those that are alike, wherever they lie."""
    pages = [page for one in series for page in one.pages if isinstance(page, tifffile.TiffPage)]
    pages = [page for page in pages if not page.is_reduced] or pages
    pages.sort(key=lambda page: page.treeindex)
    return [TiffImage(page.offset, page.treeindex, None, 0, f"page {page.index}") for page in pages]


def _by_axes(series: tifffile.TiffPageSeries, number: int, path: Path, of_set: bool) -> tuple[list[TiffImage], _Axes]:
    """Images of a series with axes of its own, and its axes; of a file of a set, those that are there."""
    axes = tuple((axis, n) for axis, n in zip(series.axes, series.shape, strict=True) if axis not in _IN_AN_IMAGE)
    lengths = [n for _, n in axes]
    count, key, pages = math.prod(lengths), series.keyframe, list(series.pages)
    places = [tuple(map(int, np.unravel_index(i, lengths))) for i in range(count)] if lengths else [()]
    names = [", ".join(f"{axis.lower()} {n}" for (axis, _), n in zip(axes, place, strict=True)) for place in places]
    if len(pages) == count:
        images, there = [], []
        for place, name, page in zip(places, names, pages, strict=True):
            if page is None and of_set:
                continue
            there.append(place)
            if page is None:
                images.append(TiffImage(None, (), None, number, name))
            elif page.offset:
                images.append(TiffImage(page.offset, page.treeindex, None, number, name))
            else:  # its place was calculated from those of others, without looking for its page
                images.append(TiffImage(key.offset, key.treeindex, page.dataoffsets[0], number, name))
        return images, tuple((axis, len({place[i] for place in there})) for i, (axis, _) in enumerate(axes))
    if series.dataoffset is not None and series.axes.endswith(("YX", "YXS")):
        step = series.size // count * series.dtype.itemsize
        at = series.dataoffset
        return [TiffImage(key.offset, key.treeindex, at + i * step, number, name) for i, name in enumerate(names)], axes
    raise FileProblem(path, f"its {count} images lie in {len(pages)} pages", "save them one file each")
