"""Which files of a data set's folder belong together: image, label and prompt, by stem."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.images import LAYOUTS, is_image, stem_of
from pipeline.data.problems import Problem
from pipeline.data.stems import composed, matching_stems
from pipeline.errors import UserError
from pipeline.wording import some_of

TEXT_FOLDER = "text"
_OF_THE_SYSTEM = {"thumbs.db", "desktop.ini", "icon\r"}


@dataclass(frozen=True)
class Pair:
    """An image and its label, of the same stem; `text` is its prompt's file where there is one."""

    name: str
    image: Path
    label: Path
    text: Path | None


@dataclass(frozen=True)
class Pairing:
    """The content of a data set's folder.

    Attributes:
        pairs: The complete pairs, sorted by name.
        problems: Files that don't pair up, each naming its sample.
        notes: What was left aside, for the log.
    """

    pairs: tuple[Pair, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> set[str]:
        """Every stem that occurs, paired or not."""
        return {pair.name for pair in self.pairs} | {name for p in self.problems for name in p.names}


def find_layout(root: Path) -> tuple[Path, Path]:
    """Return the folders of images and of labels in a data set's folder.

    Raises:
        UserError: `root` is missing or no folder, or holds neither layout, or both.
    """
    if not root.exists():
        raise UserError(f"{root}: no such folder; give the data set's folder as --dataset_dir")
    if not root.is_dir():
        raise UserError(f"{root} is a file; give the folder that holds images/ and labels/ as --dataset_dir")
    found = [(root / a, root / b) for a, b in LAYOUTS if (root / a).is_dir() and (root / b).is_dir()]
    wanted = " or ".join(f"{a}/ and {b}/" for a, b in LAYOUTS)
    if not found:
        there = sorted(p.name + "/" for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
        seen = f"it holds {some_of(there)}" if there else "it holds no folders"
        raise UserError(f"{root}: a data set's folder must hold {wanted}, but {seen}; {_remedy(root)}")
    if len(found) > 1:
        raise UserError(f"{root}: it holds two layouts ({wanted}); keep one of the two and move the other away")
    return found[0]


def is_part_of_data_set(folder: Path) -> bool:
    """Whether a folder holds the images or the masks of a data set."""
    folder = folder.resolve()
    layouts = [layout for layout in LAYOUTS if folder.name in layout]
    if not any(all((folder.parent / name).is_dir() for name in layout) for layout in layouts):
        return False
    try:
        return any(is_image(path) for path in folder.iterdir())
    except OSError:  # not for this user
        return False


def _remedy(root: Path) -> str:
    for images, labels in LAYOUTS:
        if (root / images).is_dir():
            return f"put the masks into {root / labels}, one for each image, with the same name"
        if (root / labels).is_dir():
            return f"put the images into {root / images}"
    return "rename or move the folders"


def pair_files(root: Path) -> Pairing:
    """List a data set's files and match images, labels and texts by stem.

    Stems are compared in Unicode's composed form, as macOS writes decomposed letters. Labels that are named a little
    otherwise than their images are matched too, with a note; see `matching_stems`. Hidden files and those of the
    operating system are passed over; other files that are no images are noted.

    Args:
        root: The data set's folder.

    Raises:
        UserError: The folder has no known layout, or no image at all.
    """
    image_folder, label_folder = find_layout(root)
    notes: list[str] = []
    images = _by_stem(image_folder, notes)
    labels = _by_stem(label_folder, notes)
    if not images:
        raise UserError(f"{image_folder}: no images in this folder (png, tif, bmp, jpg, nii, nii.gz)")
    texts = _texts(root / TEXT_FOLDER)
    renamed, difference = matching_stems(images.keys() - labels.keys(), labels.keys() - images.keys())
    if renamed:
        example = min(renamed)
        told = f"{labels[example][0].name} for {images[renamed[example]][0].name}"
        notes.append(f"{label_folder.name}/: {len(renamed)} {difference} are matched with their images, such as {told}")
    labels = {renamed.get(stem, stem): files for stem, files in labels.items()}

    pairs: list[Pair] = []
    problems: list[Problem] = []
    for name in sorted(images.keys() | labels.keys()):
        own, its = images.get(name, []), labels.get(name, [])
        doubled = [files for files in (own, its) if len(files) > 1]
        if doubled:
            for first, *rest in doubled:
                what = f"{_names(rest)} has the same stem, so it is unclear which one is meant"
                problems.append(Problem(first, what, "keep one of them", (name,)))
        elif not its:
            remedy = f"add {label_folder.name}/{name}.png, or remove the image"
            problems.append(Problem(own[0], "this image has no label", remedy, (name,)))
        elif not own:
            remedy = f"add the image of the same stem to {image_folder.name}/, or remove the label"
            problems.append(Problem(its[0], "this label has no image", remedy, (name,)))
        else:
            pairs.append(Pair(name, own[0], its[0], texts.get(name)))

    lonely = sorted(texts.keys() - images.keys())
    if lonely:
        notes.append(f"{TEXT_FOLDER}/: {len(lonely)} text(s) without an image: {some_of(lonely)}")
    without = [pair.name for pair in pairs if pair.text is None]
    if texts and without:
        notes.append(f"{TEXT_FOLDER}/: {len(without)} image(s) have no text of their own: {some_of(without)}")
    return Pairing(tuple(pairs), tuple(problems), tuple(notes))


def _by_stem(folder: Path, notes: list[str]) -> dict[str, list[Path]]:
    stems: dict[str, list[Path]] = {}
    other: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.lower() in _OF_THE_SYSTEM:
            continue
        if is_image(path) and not path.is_dir():
            stems.setdefault(composed(stem_of(path)), []).append(path)
        else:
            other.append(path.name + ("/" if path.is_dir() else ""))
    if other:
        notes.append(f"{folder.name}/: skipped, not images: {some_of(other)}")
    return stems


def _texts(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    files = [p for p in folder.iterdir() if p.suffix.lower() == ".txt" and not p.name.startswith(".")]
    return {composed(path.name[: -len(".txt")]): path for path in sorted(files)}


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(path.name for path in paths)
