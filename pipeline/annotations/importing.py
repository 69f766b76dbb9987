"""Files of annotations to the labels of a data set."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.annotations.coloured_masks import parse_colours
from pipeline.annotations.drawn import UNNAMED, Annotation, outside
from pipeline.annotations.reading import is_annotation, is_label_file, read_annotations
from pipeline.annotations.values import Meaning, known_values, plain_name, refuse_unknown, with_names
from pipeline.data.pairs import composed
from pipeline.data.phases_file import PHASES_FILE, write_phases_csv
from pipeline.errors import FileProblem, UserError
from pipeline.files import atomic_path
from pipeline.images import is_image, open_only_image, stem_of
from pipeline.images.formats import is_zarr
from pipeline.label_values import REST_NAMES, UNLABELLED_NAME, parse_phases
from pipeline.phases import PORE
from pipeline.wording import nearest, some_of

logger = logging.getLogger("vlsenet")

REST = REST_NAMES[0]
_SEPARATORS = "_-. "


@dataclass(frozen=True)
class ImportSettings:
    """How annotations are read.

    Attributes:
        phases: what the values of label images mean, as in `pore=1, silt grain=2`; None: as `phases.csv`, the file
            itself, or its two values say.
        rename: names of classes, and the phases that they are.
        unnamed: the phase of shapes that have no class; empty: they are refused.
        background: `unlabelled` or `rest`: what pixels are that nothing marks; None: as the annotations show it.
        colours: what colours mean (`parse_colours`); None: images hold label values.
        line_width: of strokes that have no width of their own (px).
        new_phases: whether phases may be added to those of the data set.
        overwrite: whether labels that are there are replaced.
    """

    phases: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    unnamed: str = ""
    background: str | None = None
    colours: str | None = None
    line_width: float = 3.0
    new_phases: bool = False
    overwrite: bool = False


def import_labels(root: Path, files: Sequence[Path], settings: ImportSettings) -> list[Path]:
    """Write the labels of a data set's images from annotations, and `phases.csv`.

    Nothing is written where something is wrong with one of the files.

    Args:
        root: the data set's folder, with `images/`.
        files: annotations, or folders of them; none: those that lie in `images/` and `labels/`.
        settings: how they are read.

    Returns:
        The labels that were written.

    Raises:
        UserError: one line for each problem.
    """
    images = _images(root)
    annotations = _read(_files(root, files), settings)
    problems: list[str] = []
    of_image: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        try:
            name = _image_of(annotation, images, root)
            of_image.setdefault(name, []).append(_named(annotation, root, settings))
        except UserError as problem:
            problems.append(str(problem))
    if not problems and not of_image:
        problems.append(f"{root}: the files hold no annotations")
    _raise(problems)

    known = known_values(root)
    names = _names(of_image.values(), known.names)
    if not settings.new_phases:
        refuse_unknown(names, known.names, root)
    background = _background(of_image, names, settings, root)
    meaning = with_names(known, [name for name in names if name not in (UNLABELLED_NAME, REST)], root)
    targets = _targets(root, of_image, settings)
    labels = {}
    for name, found in of_image.items():
        try:
            labels[targets[name]] = _label(found, _shape(images[name]), meaning, background, settings, known.names)
        except UserError as problem:
            problems.append(str(problem))
    _raise(problems)
    write_phases_csv(root / PHASES_FILE, meaning.values)
    for path, label in labels.items():
        with atomic_path(path) as partial:
            Image.fromarray(label).save(partial)
    return list(labels)


def _raise(problems: Sequence[str]) -> None:
    if problems:
        raise UserError("\n".join(problems))


def _images(root: Path) -> dict[str, Path]:
    """The images of a data set, by stem."""
    folder = root / "images"
    if not folder.is_dir():
        raise UserError(f"{root}: it holds no images/; put the images there that the annotations are of")
    found = {composed(stem_of(path)): path for path in sorted(folder.iterdir()) if is_image(path)}
    if not found:
        raise UserError(f"{folder}: no images in this folder")
    return found


def _files(root: Path, given: Sequence[Path]) -> list[Path]:
    """The files that were given, and those in folders."""
    found: list[Path] = []
    for path in given or [folder for folder in (root / "images", root / "labels") if folder.is_dir()]:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; check the path")
        if path.is_dir() and not is_zarr(path) and not (path / "manifest.json").is_file():
            inside = [one for one in sorted(path.iterdir()) if not one.name.startswith(".")]
            found += [one for one in inside if is_annotation(one) or (given and is_label_file(one))]
        else:
            found.append(path)
    if not found:
        raise UserError(f"{root}: no annotations beside the images; name the files, or the folder that holds them")
    return found


def _read(files: Iterable[Path], settings: ImportSettings) -> list[Annotation]:
    colours = None if settings.colours is None else parse_colours(settings.colours)
    found, problems = [], []
    for path in files:
        try:
            found += read_annotations(path, colours)
        except UserError as problem:
            problems.append(str(problem))
    _raise(problems)
    return found


def _image_of(annotation: Annotation, images: Mapping[str, Path], root: Path) -> str:
    """The stem of the image that an annotation is of: by the name that it gives, or else by its file's."""
    given = annotation.image
    stems = [composed(stem_of(Path(given)))] if given else []
    stems += [composed(stem_of(annotation.file)), composed(annotation.file.stem)]
    for stem in stems:
        if stem in images:
            return stem
    # a_labels, a.tif, a_RoiSet: the longest name that it begins with
    own = stems[-1]
    begun = [name for name in images if own.startswith(name) and own[len(name) : len(name) + 1] in {*_SEPARATORS}]
    if begun:
        return max(begun, key=len)
    meant = nearest(stems[0], images, 0.8)
    hint = f" (did you mean {images[meant].name}?)" if meant else ""
    raise FileProblem(
        annotation.file,
        f"its image {given} is not among the {len(images)} images of {root}{hint}"
        if given
        else f"none of the {len(images)} images of {root} is named as it is{hint}",
        "put the image there, or name the file after it, such as IMAGE_labels",
    )


def _named(annotation: Annotation, root: Path, settings: ImportSettings) -> Annotation:
    """An annotation with the names of classes as the user wants them, and of values those that are known."""
    rename = {UNNAMED: settings.unnamed, **settings.rename}
    drawings = [replace(one, name=rename.get(one.name, one.name)) for one in annotation.drawings]
    nameless = sum(one.name == UNNAMED for one in drawings)
    if nameless:
        what = f"{nameless} of {len(drawings)} shapes have no class"
        raise FileProblem(annotation.file, what, "give --unnamed PHASE, or classify them")
    names = {value: rename.get(name, name) for value, name in annotation.names.items()}
    if annotation.values is not None:
        names = _names_of_values(annotation, names, root, settings)
    return replace(annotation, drawings=drawings, names=names)


def _names_of_values(
    annotation: Annotation, names: dict[int, str], root: Path, settings: ImportSettings
) -> dict[int, str]:
    """The class of each value of a label image; 0 may be left without one."""
    assert annotation.values is not None
    if settings.phases is not None:
        said = parse_phases(settings.phases)
        names = names | {value: name for name, of in zip(said.names, said.values, strict=True) for value in of}
        names |= dict.fromkeys(said.unlabelled, UNLABELLED_NAME) | dict.fromkeys(said.rest, REST)
    there = [int(value) for value in np.unique(annotation.values)]
    if not names:
        known = known_values(root)
        names = {value: name for name, of in zip(known.names, known.values, strict=True) for value in of}
        names |= dict.fromkeys(known.unlabelled, UNLABELLED_NAME) | dict.fromkeys(known.rest, REST)
        marked = [value for value in there if value]
        if not names and len(marked) == 1:
            names = {marked[0]: PORE}
    unknown = [value for value in there if value and value not in names]
    if unknown:
        what = f"it holds the values {some_of([str(value) for value in there])}, and nothing says what {unknown[0]} is"
        raise FileProblem(annotation.file, what, f"give --phases 'pore={unknown[0]}, ...' (or rest, or unlabelled)")
    return names


def _names(annotations: Iterable[Sequence[Annotation]], known: Sequence[str]) -> list[str]:
    """All classes, as a data set names them, in order of appearance."""
    found: dict[str, None] = {}
    for of_image in annotations:
        for one in of_image:
            there = set() if one.values is None else {int(value) for value in np.unique(one.values)}
            for name in (*(d.name for d in one.drawings), *(n for v, n in sorted(one.names.items()) if v in there)):
                found.setdefault(plain_name(name, known))
    return list(found)


def _background(
    of_image: Mapping[str, Sequence[Annotation]], names: Sequence[str], settings: ImportSettings, root: Path
) -> str:
    """What pixels are that nothing marks.

    Raises:
        UserError: one phase alone is marked, and nothing that is not it, so that it can't be told.
    """
    if settings.background is not None:
        return settings.background
    every = [one for found in of_image.values() for one in found]
    is_open = any(one.drawings or (one.values is not None and 0 not in one.names) for one in every)
    if not is_open or len([name for name in names if name != UNLABELLED_NAME]) > 1:
        return UNLABELLED_NAME
    raise UserError(
        f"{root}: only {names[0] if names else 'nothing'} is annotated, and nothing that is not it. Is all of it marked"
        " in these images? Then give --background rest. Is nothing known about the other pixels? Then mark some of the "
        "rest, too, as the class rest"
    )


def _targets(root: Path, names: Iterable[str], settings: ImportSettings) -> dict[str, Path]:
    folder = root / "labels"
    there = {composed(stem_of(path)): path for path in folder.iterdir() if is_image(path)} if folder.is_dir() else {}
    replaced = [there[name].name for name in names if name in there]
    if replaced and not settings.overwrite:
        raise UserError(f"{folder}: {some_of(replaced)} would be replaced; give --overwrite to do so")
    others = [there[name] for name in names if name in there and there[name].suffix.lower() != ".png"]
    if others:
        raise UserError(
            f"{folder}: {some_of([path.name for path in others])} would stand beside the new labels, NAME.png; move "
            "them away"
        )
    return {name: folder / f"{name}.png" for name in names}


def _shape(path: Path) -> tuple[int, int]:
    with open_only_image(path) as source:
        return source.shape


def _label(
    annotations: Sequence[Annotation],
    shape: tuple[int, int],
    meaning: Meaning,
    background: str,
    settings: ImportSettings,
    known: Sequence[str],
) -> np.ndarray:
    """The label (H, W), uint8, of an image; later annotations lie upon earlier ones."""
    in_part = any(one.corner is not None for one in annotations)  # of what lies around it, nothing was said
    label = np.full(shape, meaning.value(UNLABELLED_NAME if in_part else background), np.uint8)
    for annotation in annotations:
        if annotation.values is not None:
            label = _with_values(label, annotation, meaning, background, known)
        _check_shapes(annotation, label.shape)
        for drawing in annotation.drawings:
            value = meaning.value(plain_name(drawing.name, known))
            for rows, columns in drawing.pixels((label.shape[0], label.shape[1]), settings.line_width):
                label[rows, columns] = value
    return label


def _check_shapes(annotation: Annotation, shape: tuple[int, ...]) -> None:
    if annotation.shape is not None and annotation.shape != shape:
        what = f"it is of an image of {_size(annotation.shape)} pixels, but the image is {_size(shape)}"
        raise FileProblem(annotation.file, what, "annotate the image at its own size")
    beyond = sum(outside(drawing, (shape[0], shape[1])) for drawing in annotation.drawings)
    if beyond:
        what = f"{beyond} of {len(annotation.drawings)} shapes lie outside of the image of {_size(shape)} pixels"
        raise FileProblem(annotation.file, what, "is it of another image, or in other units than pixels?")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _with_values(
    label: np.ndarray, annotation: Annotation, meaning: Meaning, background: str, known: Sequence[str]
) -> np.ndarray:
    values = annotation.values
    assert values is not None
    height, width = values.shape
    if annotation.corner is None and width == label.shape[1] and height < len(label):
        label = label[:height]  # drawn without the info bar, which a data set's labels may lack
    top, left = annotation.corner or (0, 0)
    fits = top + height <= len(label) and left + width <= label.shape[1]
    if not fits or (annotation.corner is None and values.shape != label.shape):
        what = f"it is {_size(values.shape)} pixels, but its image is {_size(label.shape)}"
        raise FileProblem(annotation.file, what, "export both at the same size")
    part = np.full(values.shape, meaning.value(background), np.uint8)
    for value, name in annotation.names.items():
        part[values == value] = meaning.value(plain_name(name, known))
    result = label.copy()
    result[top : top + height, left : left + width] = part
    return result
