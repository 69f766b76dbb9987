"""A data set that is being labelled: its images, phases and labels, by one window at a time."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from pipeline.annotations.stroke_store import StrokeStore, label_name
from pipeline.annotations.unsaved_strokes import put_back
from pipeline.annotations.values import known_values, plain_name, with_names
from pipeline.data.pairs import composed
from pipeline.data.phases_file import PHASES_FILE, write_phases_csv
from pipeline.errors import UserError
from pipeline.files import write_error, write_text
from pipeline.images import is_image, open_only_image, stem_of
from pipeline.images.folders import images_in
from pipeline.images.formats import is_zarr
from pipeline.label_values import REST_NAMES, UNLABELLED_NAME, label_values
from pipeline.locks import take_lock
from pipeline.phases import PORE
from pipeline.wording import some_of

logger = logging.getLogger("vlsenet")

#: what the images were when they were labelled, and whose turn it is
_NOTES, _LOCK = ".labelled.json", ".labelling.lock"
_IDENTITY = ("shape", "sha256_of_samples")


def data_set_of(path: Path) -> Path:
    """The data set of a folder with `images/`; or one that is made of a folder of images, or of a scan, with links.

    Raises:
        UserError: there are no images.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give a folder of images, or a scan")
    if path.is_dir() and (path / "images").is_dir():
        return path
    if path.is_dir() and not is_zarr(path):
        images, root = images_in(path), path.with_name(f"{path.resolve().name}_labelled")
        if not images:
            raise UserError(f"{path}: no images in this folder")
    else:
        images, root = [path], path.with_name(f"{stem_of(path)}_labelled")
    try:
        (root / "images").mkdir(parents=True, exist_ok=True)
        for image in images:
            link = root / "images" / image.name
            if not os.path.lexists(link):
                link.symlink_to(os.path.relpath(image.resolve(), link.parent.resolve()))
    except OSError as error:
        raise UserError(
            f"{root}: the data set can't be made there ({error.strerror or error}); copy the images to a folder where "
            "you may write"
        ) from error
    return root


class LabelSession:
    """A data set that is being labelled, to be closed.

    Args:
        root: its folder, with `images/`.

    Attributes:
        root: its folder.
        images: files by stem.
        vanished: stems of images that were labelled and are gone; their labels stay.
        put_back: stems of images whose strokes an earlier window had to keep elsewhere, and that have them now.

    Raises:
        UserError: another window labels it, it has no images, or its labels have no meaning yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = {composed(stem_of(path)): path for path in images_in(root / "images")}
        if not self.images:
            raise UserError(f"{root / 'images'}: no images in this folder")
        labels = root / "labels"
        try:
            labels.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{labels}: can't be made ({error.strerror or error}); make space there, or the right to write"
            ) from error
        self._notes_file = labels / _NOTES
        self._lock = _locked(labels / _LOCK, root)
        try:
            known = known_values(root)
            self.meaning = with_names(known, [] if known.phases else [PORE], root)
            self._notes: dict[str, Any] = _read_notes(self._notes_file)
            self.vanished = sorted(self._notes.keys() - self.images.keys())
            self._stores: dict[str, StrokeStore] = {}
            self.put_back: set[str] = set()
            self._write_phases()
        except BaseException:
            self.close()
            raise

    def add_phase(self, name: str) -> None:
        """Give a phase a value, and remember it in `phases.csv`.

        Raises:
            UserError: it has no name, one that is taken, or one that means something else.
        """
        plain = " ".join(name.split())
        taken = [one for one in self.meaning.values.names if one.casefold() == plain.casefold()]
        if taken:
            raise UserError(f"the phase {taken[0]} is there already; choose another name")
        if plain_name(plain) in (REST_NAMES[0], UNLABELLED_NAME) or not plain:
            raise UserError(f"{plain!r} is no phase; choose another name")
        label_values([(1, plain, "")])  # which refuses signs that can't be in a name
        before, self.meaning = self.meaning, with_names(self.meaning.values, [plain], self.root)
        try:
            self._write_phases()
        except UserError:  # of a phase without a name on the disk, strokes would be nothing
            self.meaning = before
            raise
        for store in self._stores.values():
            store.meaning = self.meaning

    def _write_phases(self) -> None:
        try:
            write_phases_csv(self.root / PHASES_FILE, self.meaning.values)
        except OSError as error:
            raise write_error(self.root / PHASES_FILE, error) from error

    def store(self, stem: str) -> StrokeStore:
        """The strokes of an image.

        Raises:
            UserError: the image is gone, can't be read, or changed since it was labelled.
        """
        if stem in self._stores:
            return self._stores[stem]
        with open_only_image(self.images[stem]) as source:
            shape, now = source.shape, source.fingerprint()
        identity = {name: now[name] for name in _IDENTITY}
        before = self._notes.get(stem)
        if before is not None and before != identity:
            raise UserError(
                f"{self.images[stem]}: the image changed since it was labelled (it was {before['shape'][1]}x"
                f"{before['shape'][0]} pixels); put the former one back, or move its label away"
            )
        store = StrokeStore(self._label(stem, shape), shape, self.meaning)
        if put_back(self.root, stem, store):
            self.put_back.add(stem)
        if before is None:
            self._notes[stem] = identity
            self._write_notes()
        self._stores[stem] = store
        return store

    def _write_notes(self) -> None:
        try:
            write_text(self._notes_file, json.dumps(self._notes, indent=1, sort_keys=True))
        except OSError as error:  # with the next image it is tried again; until then, changes of images go unseen
            logger.warning("%s can't be written (%s)", self._notes_file, error.strerror or error)

    @property
    def labelled(self) -> list[str]:
        """Stems of the images that have a label."""
        there = {composed(stem_of(path)) for path in (self.root / "labels").iterdir() if is_image(path)}
        return [stem for stem in self.images if stem in there]

    def _label(self, stem: str, shape: tuple[int, int]) -> Path:
        """The file of an image's label, or the one that it will have."""
        folder = self.root / "labels"
        there = [path for path in sorted(folder.iterdir()) if is_image(path) and composed(stem_of(path)) == stem]
        if len(there) > 1:
            raise UserError(f"{folder}: {some_of([path.name for path in there])} are of one image; keep one of them")
        if there:
            if not (is_zarr(there[0]) or there[0].suffix.lower() in (".png", ".tif", ".tiff")):
                raise UserError(f"{there[0]}: labels of this format can't be painted on; save it as PNG")
            return there[0]
        return folder / label_name(stem, shape)

    def close(self) -> None:
        """Let another window have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> LabelSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _locked(path: Path, root: Path) -> int | None:
    """A file that one process holds at a time; it is released when that ends, however it does."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise write_error(path, error) from error
    if not take_lock(file, str(root)):
        os.close(file)
        raise UserError(f"{root}: another window is labelling this data set; close it first")
    return file


def _read_notes(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):  # of no use, and no harm: images are looked at anew
        return {}
    return content if isinstance(content, dict) else {}
