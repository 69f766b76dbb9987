"""Files of one or several 2-D images, whatever their format: which image is meant, and whether all are one volume."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import FileProblem, UserError
from pipeline.images.failures import unreadable
from pipeline.images.source import ImageSource


class ImageFile(ABC):
    """A file (or a Zarr) that holds one or several 2-D images. Each format has a subclass; see `formats.FORMATS`.

    Args:
        name: the path or the address, as the user gave it.
        kind: of its content, a key of `formats.FORMATS`.
        spill_dir: where large images go that can only be decoded whole, to be found again by a later run; without it
            they stay in memory.
        stored: as for `ImageSource`.

    Attributes:
        count: number of its images.
        holds: what they are, for messages.
        no_volume: why they are not the slices of one volume, and what to do; None where they are.
        set_part: what it holds of a set of files of which it is one; None where it is none.

    Raises:
        FileProblem: it is damaged, or not an image.
    """

    count = 1
    holds = "one image"
    no_volume: str | None = None
    set_part: str | None = None

    def __init__(self, name: str, kind: str, *, spill_dir: Path | None = None, stored: bool = False) -> None:
        self.name, self.path, self.kind, self.spill_dir, self.stored = name, Path(name), kind, spill_dir, stored
        try:
            self._look()
        except Exception as error:  # readers answer damaged headers with errors of every type
            raise unreadable(name, error) from error

    @abstractmethod
    def _look(self) -> None:
        """Set the attributes from the file's header; any exception means damage."""

    @abstractmethod
    def image(self, index: int, page: int | None) -> ImageSource:
        """One image, from 0; `page` is what messages call it by. Any exception but a `UserError` means damage."""

    def open(self, page: int | None = None) -> ImageSource:
        """Open one image.

        Args:
            page: its number, from 0; None: the only one.

        Raises:
            FileProblem: there are several and `page` is None, or there is none of this number, or it is damaged.
        """
        if page is None and self.count > 1:
            stack = "" if self.no_volume else ", or give --stack"
            raise self._several(f"choose one with --page 0 to {self.count - 1}{stack}")
        if page is not None and not 0 <= page < self.count:
            other = "" if self.set_part is None else ", or give another file"
            remedy = f"choose from 0 to {self.count - 1}{other}"
            raise FileProblem(self.name, f"no page {page}: it holds {self.holds}", remedy)
        try:
            return self.image(page or 0, page)
        except UserError:
            raise
        except Exception as error:
            raise unreadable(self.name, error) from error

    def open_only(self) -> ImageSource:
        """Open the only image, where no page can be chosen.

        Raises:
            FileProblem: there are several, or it is damaged.
        """
        if self.count > 1:
            raise self._several("save them as single images, one file each")
        return self.open()

    def _several(self, remedy: str) -> FileProblem:
        return FileProblem(self.name, f"it holds {self.holds}, but one 2-D image is needed", remedy)


_NAMES = {"z": "slices", "i": "images", "q": "images", "c": "channels", "t": "times"}
_NOT_SPACE = {"c": "channel", "t": "time"}
_LETTERS = {"channel": "c", "channels": "c", "time": "t", "times": "t"}


def no_volume(axes: Iterable[tuple[str, int]], images: int) -> str | None:
    """Why the images of a file are not the slices of one volume, and what to do.

    Axes that nothing names, as the pages of a plain TIFF, are taken for slices.

    Args:
        axes: name (Z, C, T, channel, time ...) and length of each axis except rows and columns.
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
