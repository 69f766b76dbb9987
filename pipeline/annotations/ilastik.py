"""ilastik: the strokes in a project (.ilp), and label images that were exported as HDF5 or NumPy files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.annotations.drawn import Annotation, Pixels
from pipeline.errors import FileProblem

SUFFIXES = (".ilp", ".h5", ".hdf5", ".npy")
#: of a project: the strokes of each image, their names, and what is known of the images
_STROKES, _NAMES, _IMAGES = "PixelClassification/LabelSets", "PixelClassification/LabelNames", "Input Data/infos"
#: axes of arrays that don't name theirs, by their number
_USUAL = {2: "yx", 3: "yxc", 4: "zyxc", 5: "tzyxc"}
_EXPORT = "in ilastik, export Simple Segmentation or Labels (Choose Export Image Settings)"


def read_ilastik(path: Path) -> list[Annotation]:
    """What a file of ilastik says of its images.

    Args:
        path: a project of a pixel classification, or an exported label image.

    Raises:
        FileProblem: h5py is missing, or there are no labels in it.
        KeyError, ValueError: it is not as ilastik writes it, or of a stack.
    """
    if path.suffix.lower() == ".npy":
        return [_of_values(path, np.load(path, allow_pickle=False), None)]
    try:
        import h5py
    except ImportError as error:
        remedy = "pip install 'vlsenet[ilastik]'; or in ilastik, export the labels as TIFF or PNG"
        raise FileProblem(path, "files of this kind are read by h5py, which is not installed", remedy) from error
    with h5py.File(path, "r") as file:
        if path.suffix.lower() == ".ilp":
            if _STROKES not in file:
                raise FileProblem(path, "it is no project of a pixel classification", _EXPORT)
            return list(_of_project(path, file))
        arrays = [name for name in file if hasattr(file[name], "shape")]
        if "exported_data" not in arrays and len(arrays) != 1:
            raise FileProblem(path, "it holds no exported_data", _EXPORT)
        array = file["exported_data" if "exported_data" in arrays else arrays[0]]
        return [_of_values(path, array[()], _axes(array.attrs.get("axistags")))]


def _of_values(path: Path, array: np.ndarray, axes: str | None) -> Annotation:
    if array.dtype.kind not in "iub":
        raise FileProblem(path, f"it holds {array.dtype} values, which are no labels", _EXPORT)
    return Annotation(path, values=_plane(array, axes).astype(np.int64))


def _of_project(path: Path, file: Any) -> Iterator[Annotation]:
    """The images of a project that were painted on."""
    names = [_text(name) for name in file[_NAMES][()]] if _NAMES in file else []
    images = [file[_IMAGES][name]["Raw Data"] for name in sorted(file[_IMAGES])]
    for number, image in enumerate(images):
        strokes = file[_STROKES].get(f"labels{number:03d}")
        if strokes is None or not len(strokes):
            continue
        of_image = _axes(image.get("axistags"))
        drawings = [drawn for block in strokes.values() for drawn in _drawn(block, of_image, names)]
        yield Annotation(path, _file_of(image), _shape(image, of_image), drawings)


def _drawn(block: Any, of_image: str | None, names: list[str]) -> Iterator[Pixels]:
    """The pixels of each class in a block of labels."""
    axes = _axes(block.attrs.get("axistags")) or of_image or _USUAL[block.ndim]
    spans = [tuple(map(int, span)) for span in re.findall(r"(\d+):(\d+)", _text(block.attrs["blockSlice"]))]
    if not len(spans) == len(axes) == block.ndim:
        raise ValueError(f"a block of labels is of {block.ndim} axes, and lies at {len(spans)}")
    starts = dict(zip(axes, (first for first, _ in spans), strict=True))
    if any(starts[axis] for axis in axes if axis in "zt"):
        raise ValueError("it is of a stack: images of a data set are single slices")
    values = _plane(block[()], axes)
    for value in np.unique(values[values > 0]):
        rows, columns = np.nonzero(values == value)
        name = names[value - 1] if value <= len(names) else f"Label {value}"
        yield Pixels(name, rows + starts["y"], columns + starts["x"])


def _plane(array: np.ndarray, axes: str | None) -> np.ndarray:
    """Rows and columns (H, W) of an array whose other axes are of length 1."""
    axes = axes or _USUAL.get(array.ndim, "")
    if len(axes) != array.ndim or not {"y", "x"} <= set(axes):
        raise ValueError(f"it is of {array.ndim} axes {axes}, which can't be told")
    others = [axis for axis in range(array.ndim) if axes[axis] not in "yx"]
    if any(array.shape[axis] != 1 for axis in others):
        raise ValueError(f"it is of {'x'.join(map(str, array.shape))} values, and no single image of labels")
    plane = array.squeeze(tuple(others))
    return plane if axes.index("y") < axes.index("x") else plane.T


def _axes(tags: Any) -> str | None:
    """The axes that ilastik notes as JSON, such as `yxc`."""
    if tags is None:
        return None
    return "".join(axis["key"] for axis in json.loads(_text(tags[()] if hasattr(tags, "shape") else tags))["axes"])


def _shape(image: Any, axes: str | None) -> tuple[int, int] | None:
    """Height and width (px) of an image of a project, where they are noted."""
    if "shape" not in image or axes is None:
        return None
    lengths = dict(zip(axes, (int(length) for length in image["shape"][()]), strict=True))
    return lengths["y"], lengths["x"]


def _file_of(image: Any) -> str:
    """The name of an image's file; of one inside of an HDF5 file, that file's."""
    name = _text((image.get("filePath") or image["nickname"])[()]).replace("\\", "/")
    return re.split(r"\.(?:h5|hdf5)(?:/|$)", name)[0].rsplit("/", 1)[-1]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
