"""Which files of a data set's folder belong together, by name: image, label, prompt, and parts of a micrograph."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path

from pipeline.data.problems import Problem
from pipeline.errors import FileProblem, UserError
from pipeline.files import read_bytes
from pipeline.images import IMAGE_SUFFIXES, is_image, stem_of
from pipeline.images.folders import LAYOUTS
from pipeline.wording import some_of

#: what joins a name to a word such as "mask"
_SEPARATORS = "_-. "

Form = Callable[[str], str]

_SEPARATOR = re.compile(r"[-_. ]+")
#: how parts are numbered: 3, 003, tile3, r2, x100y200
_NUMBERED = re.compile(r"[a-zA-Z]{0,9}\d+([a-zA-Z]{1,3}\d+)?")
#: files for each group; pairs of names that happen to begin alike are none
_LEAST_MEAN = 2
TEXT_FOLDER = "text"
_OF_THE_SYSTEM = {"thumbs.db", "desktop.ini", "icon\r"}


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
            yield suffix, methodcaller("removesuffix", suffix)
        if prefix[-1] in _SEPARATORS and all(label.startswith(prefix) for label in labels):
            yield prefix, methodcaller("removeprefix", prefix)


@dataclass(frozen=True)
class NameGroups:
    """Groups of file names with the same stem and another number.

    Attributes:
        pattern: regular expression that finds the stem, as `--group_pattern` takes it.
        sizes: files of each stem.
    """

    pattern: str
    sizes: dict[str, int]

    def __str__(self) -> str:
        shown = some_of([f"{stem} ({count} file{'s' * (count > 1)})" for stem, count in self.sizes.items()])
        return f"their names look like parts of {len(self.sizes)} micrographs: {shown}"


def name_groups(names: Collection[str]) -> NameGroups | None:
    """Find the groups that names fall into, the coarsest where there are several; None where there are none.

    A group is a stem, of one or more parts between separators (- _ . or space), behind which all parts are numbered.
    Names with one stem (img_1, img_2 ...) are no groups: that is how separate images are named.

    Args:
        names: of files, without suffix.
    """
    parts = {name: _SEPARATOR.split(name) for name in names}
    longest = min((len(found) for found in parts.values()), default=0)
    for count in range(1, longest):
        if not all(_NUMBERED.fullmatch(part) for found in parts.values() for part in found[count:]):
            continue
        pattern = "^(" + r"[-_. ]+".join([r"[^-_. ]+"] * count) + ")[-_. ]"
        matches = [re.match(pattern, name) for name in names]
        if not all(matches):  # a name that begins with a separator
            continue
        sizes = Counter(match.group(1) for match in matches if match)
        if 1 < len(sizes) <= len(parts) / _LEAST_MEAN:
            return NameGroups(pattern, dict(sorted(sizes.items())))
    return None


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
    images, beside = _by_stem(image_folder, notes)
    labels, no_masks = _by_stem(label_folder, notes)
    if not images:
        raise UserError(f"{image_folder}: no images in this folder ({', '.join(IMAGE_SUFFIXES)})")
    texts = _texts(root / TEXT_FOLDER)
    renamed, difference = matching_stems(images.keys() - labels.keys(), labels.keys() - images.keys())
    if renamed:
        example = min(renamed)
        such_as = f"{labels[example][0].name} for {images[renamed[example]][0].name}"
        notes.append(
            f"{label_folder.name}/: {len(renamed)} {difference} are matched with their images, such as {such_as}"
        )
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
            what, remedy = "this image has no label", f"add {label_folder.name}/{name}.png, or remove the image"
            if found := [*_of_stem(name, no_masks, label_folder), *_of_stem(name, beside, image_folder)]:
                what = f"this image has no label: {some_of(found, 2)} {'is' if len(found) == 1 else 'are'} no mask"
                remedy = f"let vlsenet import-labels {root} make masks of annotations, or export an image, "
                remedy += f"{label_folder.name}/{name}.png"
            problems.append(Problem(own[0], what, remedy, (name,)))
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


def _by_stem(folder: Path, notes: list[str]) -> tuple[dict[str, list[Path]], list[str]]:
    """The images of each stem, and the names of what else is there."""
    stems: dict[str, list[Path]] = {}
    other: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.lower() in _OF_THE_SYSTEM:
            continue
        if is_image(path):
            stems.setdefault(composed(stem_of(path)), []).append(path)
        else:
            other.append(path.name + ("/" if path.is_dir() else ""))
    if other:
        notes.append(f"{folder.name}/: skipped, not images: {some_of(other)}")
    return stems, other


def _of_stem(name: str, others: Iterable[str], folder: Path) -> list[str]:
    """Files that are named after an image and are no images: `a.json`, `a_RoiSet.zip`, `a.tif.nrrd`."""
    return [
        f"{folder.name}/{other}"
        for other in others
        if composed(other).startswith(name) and composed(other)[len(name) : len(name) + 1] in {*_SEPARATORS}
    ]


def _texts(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    files = [p for p in folder.iterdir() if p.suffix.lower() == ".txt" and not p.name.startswith(".")]
    return {composed(path.name[: -len(".txt")]): path for path in sorted(files)}


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(path.name for path in paths)


def sentence_of(image: Path) -> str | None:
    """The sentence that belongs to an image: `text/NAME.txt`, in its folder or, in a data set, in the folder above.

    Raises:
        FileProblem: it is empty, or not UTF-8.
    """
    folder = image.absolute().parent
    in_data_set = folder.name in [images for images, _ in LAYOUTS]
    for place in (folder.parent, folder) if in_data_set else (folder,):
        if file := _texts(place / TEXT_FOLDER).get(composed(stem_of(image))):
            return read_sentence(file)
    return None


def read_sentence(path: Path) -> str:
    """The text of a file, stripped.

    Raises:
        FileProblem: it is empty, or not UTF-8.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise FileProblem(path, "the text is not UTF-8", "save it as UTF-8") from error
    if not text:
        raise FileProblem(path, "the text is empty", "write a prompt into it, or remove the file")
    if not text.replace("|", " ").strip():
        raise FileProblem(
            path, "the text holds only bars, no phrase", "write it as in 'pore | rock pore', or remove the file"
        )
    if "\x00" in text:
        raise FileProblem(path, "the text holds null bytes", "save it as UTF-8")
    return text
