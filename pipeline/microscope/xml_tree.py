"""XML in the metadata of an image: parsed without what could be made to swell."""

from __future__ import annotations

from xml.etree import ElementTree

_MOST = 16 << 20  # characters


def parsed(text: str) -> ElementTree.Element | None:
    """The root of an XML text, or None where it is broken, huge, or declares entities (which may name each other)."""
    text = text.strip("\0 \r\n\t\ufeff")
    if len(text) > _MOST or "<!ENTITY" in text or "<!DOCTYPE" in text:
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


def text_at(root: ElementTree.Element, name: str) -> str | None:
    """The text of the first element of a name."""
    element = first(root, name)
    return None if element is None else element.text
