"""Which label belongs to which image, where their names are not quite the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator

#: what joins a name to a word such as "mask"
_SEPARATORS = "_-. "

Form = Callable[[str], str]


def composed(name: str) -> str:
    """A name with its accents in the letters, as most systems write it; macOS writes them behind the letters."""
    return unicodedata.normalize("NFC", name)


def matching_stems(images: Collection[str], labels: Collection[str]) -> tuple[dict[str, str], str]:
    """Match images and labels that don't have the same stem.

    Labels may differ from their images in upper and lower case, or all of them by one word in front or behind, as in
    `a_mask` or `label-a`. A name that could belong to several is not matched.

    Args:
        images: Stems of images that have no label of the same stem.
        labels: Stems of labels that have no image of the same stem.

    Returns:
        The image's stem for each label's that was matched, and in what they differ, for the log.
    """
    for word, strip in _words(labels):
        found = _matched(images, str, labels, strip)
        if len(found) == len(labels):
            return found, f"labels with {word!r} in their names"
    return _matched(images, str.casefold, labels, str.casefold), "labels in other upper and lower case"


def _matched(images: Collection[str], form: Form, labels: Collection[str], label_form: Form) -> dict[str, str]:
    """The image for each label, where one image and one label alone have the same form."""
    own, its = _grouped(images, form), _grouped(labels, label_form)
    return {its[key][0]: own[key][0] for key in own.keys() & its.keys() if len(own[key]) == len(its[key]) == 1}


def _grouped(names: Collection[str], form: Form) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(form(name), []).append(name)
    return groups


def _words(labels: Collection[str]) -> Iterator[tuple[str, Form]]:
    """The words, with their separator, that all labels end or begin with, and what takes each off."""
    first = min(labels, default="")
    for place in range(1, len(first)):
        suffix, prefix = first[place:], first[:place]
        if suffix[0] in _SEPARATORS and all(label.endswith(suffix) for label in labels):
            yield suffix, _without_suffix(suffix)
        if prefix[-1] in _SEPARATORS and all(label.startswith(prefix) for label in labels):
            yield prefix, _without_prefix(prefix)


def _without_suffix(suffix: str) -> Form:
    return lambda label: label.removesuffix(suffix)


def _without_prefix(prefix: str) -> Form:
    return lambda label: label.removeprefix(prefix)
