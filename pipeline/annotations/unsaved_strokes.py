"""Strokes that the data set's disk refused when their window was closed: kept elsewhere, and put back later."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.annotations.stroke_store import StrokeStore
from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.images.rectangles import Window

#: in the home folder, or where that refuses too, in that for temporary files
FOLDER = "vlsenet_unsaved_strokes"


@dataclass(frozen=True)
class UnsavedStrokes:
    """Strokes that were painted in a window of an image, and are not in its label.

    Attributes:
        window: of the image.
        values: label values (h, w), uint8.
        painted: (h, w), truth values: where they differ from the label.
    """

    window: Window
    values: np.ndarray
    painted: np.ndarray

    def keep(self, root: Path, stem: str) -> Path:
        """Write them where there is space.

        Args:
            root: folder of the data set.
            stem: of the image.

        Returns:
            The file.

        Raises:
            UserError: there is space nowhere.
        """
        refused = []
        for folder in _folders(root):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                return self._written(folder, f"{stem}_x{self.window.left}_y{self.window.top}")
            except OSError as error:
                refused.append(f"{folder} ({error.strerror or error})")
        raise UserError(f"{root}: strokes on {stem} are lost, as no folder takes them: {', '.join(refused)}")

    def _written(self, folder: Path, name: str) -> Path:
        file = next(one for one in _numbered(folder, name) if not one.exists())
        both = np.stack([self.values, np.where(self.painted, 255, 0).astype(np.uint8)], axis=-1)
        with atomic_path(file) as partial:
            Image.fromarray(both, "LA").save(partial, "PNG")
        return file

    @classmethod
    def read(cls, file: Path) -> UnsavedStrokes:
        """Those of a file.

        Raises:
            OSError: it can't be read.
            ValueError: it is of another kind.
        """
        place = re.search(r"_x(\d+)_y(\d+)(?:_\d+)?$", file.stem)
        with Image.open(file) as image:
            both = np.asarray(image)
        if place is None or both.ndim != 3 or both.shape[2] != 2:
            raise ValueError("no strokes")
        return cls(Window(int(place[2]), int(place[1]), *both.shape[:2]), both[..., 0], both[..., 1] > 0)


def put_back(root: Path, stem: str, store: StrokeStore) -> int:
    """Paint strokes that were kept elsewhere into an image's label, and remove their files.

    Args:
        root: folder of the data set.
        stem: of the image.
        store: its strokes.

    Returns:
        How many files there were.

    Raises:
        UserError: the disk still refuses; the files stay.
    """
    count = 0
    for file in _files(root, stem):
        try:
            kept = UnsavedStrokes.read(file)
        except (OSError, ValueError):
            continue  # not ours
        store.paint(kept.window, kept.values, kept.painted)
        file.unlink(missing_ok=True)
        count += 1
    return count


def _files(root: Path, stem: str) -> list[Path]:
    """The earlier ones first."""
    files = [file for folder in _folders(root) if folder.is_dir() for file in folder.iterdir()]
    own = re.compile(re.escape(stem) + r"_x\d+_y\d+(_\d+)?\.png")
    return sorted((file for file in files if own.fullmatch(file.name)), key=lambda file: file.stat().st_mtime_ns)


def _folders(root: Path) -> list[Path]:
    name = f"{root.resolve().name}_{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]}"
    return [base / FOLDER / name for base in (Path.home(), Path(tempfile.gettempdir()))]


def _numbered(folder: Path, name: str) -> Iterator[Path]:
    yield folder / f"{name}.png"
    number = 2
    while True:
        yield folder / f"{name}_{number}.png"
        number += 1
