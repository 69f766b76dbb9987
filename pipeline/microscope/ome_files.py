"""An OME-TIFF may be one file of a set, and its OME-XML then tells of them all: what of it is about the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from pipeline.microscope.xml_tree import first, local_name, parsed

_LONG = ("TiffData", "Plane", "StructuredAnnotations")


@dataclass(frozen=True)
class OwnPart:
    """What an OME-XML says of the file that it stands in.

    Attributes:
        xml: of the images that the file holds planes of; the places of planes in other files are left out. None
            where no plane is said to be in this file, or the XML is broken.
        short: the same without the list of planes, which may be long: sizes and conditions.
        arrays: how many images of OME (each of many planes) it tells of.
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
