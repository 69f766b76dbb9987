"""Whether the images of a file are the slices of one volume, by the names of its axes."""

from __future__ import annotations

from collections.abc import Iterable

_NAMES = {"z": "slices", "i": "images", "q": "images", "c": "channels", "t": "times"}
_NOT_SPACE = {"c": "channel", "t": "time"}
_LETTERS = {"channel": "c", "channels": "c", "time": "t", "times": "t"}


def no_volume(axes: Iterable[tuple[str, int]], images: int) -> str | None:
    """Why the images of a file are not the slices of one volume, and what to do.

    Axes that nothing names, as the pages of a plain TIFF, are taken for slices.

    Args:
        axes: name (Z, C, T, channel, time ...) and length of each axis beside rows and columns.
        images: their number.

    Returns:
        None where they are, or are but one.
    """
    long = [(_LETTERS.get(name.lower(), name.lower()), length) for name, length in axes if length > 1]
    several = [_NOT_SPACE[letter] for letter, _ in long if letter in _NOT_SPACE]
    if not several:
        return None
    held = " x ".join(f"{length} {_NAMES.get(letter, 'images')}" for letter, length in long)
    one = f"choose one image with --page 0 to {images - 1}"
    if [letter for letter, _ in long] == ["t"]:
        remedy = "if they are slices, say so (Fiji: Image > Properties) and save it again, or "
    else:
        remedy = f"save one {' and '.join(several)} as a stack (Fiji: Image > Hyperstacks > Reduce Dimensionality), or "
    return f"it holds {held}, not the slices of one volume; {remedy}{one}"
