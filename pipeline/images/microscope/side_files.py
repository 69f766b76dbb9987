"""Texts of microscopes: files beside an image, pairs of key and value, and XML."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

_MOST = 1 << 20  # bytes; these files have a few kilobytes


def side_file(image: Path, suffix: str) -> str | None:
    """The text of the file beside an image that has its name and another suffix.

    `a.tif` goes with `a.txt`, `a.tif.txt` and (TESCAN) `a-tif.txt`; their suffix may be `.TXT` or `.Txt`, too.

    Args:
        image: the image's path.
        suffix: of the side file, like `.txt`.

    Returns:
        None where there is none, or it can't be read.
    """
    stem, own = image.name, image.suffix
    if own:
        stem = image.name[: -len(own)]
    names = [stem, image.name, f"{stem}-{own[1:]}", f"{stem}-{own[1:].lower()}"]
    for name in dict.fromkeys(names):
        for written in (suffix, suffix.upper(), suffix.title()):
            path = image.with_name(name + written)
            try:
                if path != image and path.is_file():
                    with path.open("rb") as file:
                        return text_of(file.read(_MOST))
            except (OSError, ValueError):
                continue
    return None


def text_of(data: bytes) -> str:
    """Decode text of an encoding that nobody named: Unicode, else Latin-1."""
    text = unicode_of(data)
    return data.decode("latin-1") if text is None else text


def unicode_of(data: bytes) -> str | None:
    """Decode UTF-8, or UTF-16 with or without its mark; None where it is another encoding."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if data[:200].count(0) > len(data[:200]) // 4:
        # ASCII in UTF-16 has a zero in every other byte
        high = data[:200:2].count(0)
        return data.decode("utf-16-be" if high > data[1:200:2].count(0) else "utf-16-le", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def pairs_of(text: str, separators: Sequence[str] = ("=",)) -> dict[str, str]:
    """Key and value of each line; the first of a key counts, and lines without a separator are left out.

    Args:
        text: of a side file or tag.
        separators: the first one that a line has divides it; " " stands for any white space.
    """
    pairs: dict[str, str] = {}
    for line in text.splitlines()[:20_000]:
        for separator in separators:
            parts = line.strip().split(None if separator == " " else separator, 1)
            if len(parts) == 2:
                pairs.setdefault(parts[0].strip(), parts[1].strip())
                break
    return pairs


_MOST_XML = 16 << 20  # characters


def parsed(text: str) -> ElementTree.Element | None:
    """The root of an XML text, or None where it is broken, huge, or declares entities (which may name each other)."""
    text = text.strip("\0 \r\n\t\ufeff")
    if len(text) > _MOST_XML or "<!ENTITY" in text or "<!DOCTYPE" in text:
        return None
    if text.startswith("<?xml"):
        text = text.partition("?>")[2]  # the text is decoded, whatever encoding the declaration names
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return None


def local_name(element: ElementTree.Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def first(root: ElementTree.Element, *names: str) -> ElementTree.Element | None:
    """The first element of one of these names, at any depth, in any namespace."""
    return next((element for element in root.iter() if local_name(element) in names), None)


def with_unit(element: ElementTree.Element | None) -> str | None:
    """The text of an element with the unit that it has as an attribute; None where there is none."""
    if element is None or not element.text:
        return None
    return f"{element.text.strip()} {element.get('units') or element.get('unit') or ''}"


def text_at(root: ElementTree.Element, name: str) -> str | None:
    """The text of the first element of a name."""
    element = first(root, name)
    return None if element is None else element.text
