"""A file of annotations, by its content, to what it says of each image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.annotations.coco import is_coco, read_coco
from pipeline.annotations.coloured_masks import RGB, read_coloured
from pipeline.annotations.drawn import Annotation
from pipeline.annotations.ilastik import SUFFIXES as ILASTIK
from pipeline.annotations.ilastik import read_ilastik
from pipeline.annotations.imagej import is_roi_set, read_rois
from pipeline.annotations.labelme import is_labelme, read_labelme
from pipeline.annotations.labkit import is_labkit, names_beside, read_labkit
from pipeline.annotations.own_results import read_own_result, request_beside
from pipeline.annotations.qupath import features_of, is_compressed, read_compressed, read_qupath
from pipeline.errors import FileProblem, UserError, on_one_line
from pipeline.images import is_image, open_only_image
from pipeline.images.formats import is_zarr

#: of files that hold annotations and no image
SUFFIXES = (".json", ".geojson", ".labeling", ".roi", ".zip", ".ilp")
#: files that other programs keep, and how they give what is read here
_OTHERS = {
    ".qpdata": "it is QuPath's own; in QuPath: File, Export objects as GeoJSON",
    ".xml": "export it as COCO JSON, LabelMe JSON, GeoJSON or a label image",
    ".nrrd": "save it as TIFF or NIfTI",
    ".csv": "in napari: right click on the shapes layer, Convert to Labels; then File, Save selected layers, as TIFF",
}


def is_annotation(path: Path) -> bool:
    """Whether the name of a file is that of annotations that are no image."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.lower().endswith(".zarr.zip")


def is_label_file(path: Path) -> bool:
    """Whether the name of a file is that of label values: an image, or what ilastik exports."""
    return is_image(path) or path.suffix.lower() in ILASTIK


def read_annotations(path: Path, colours: Mapping[RGB, str] | None = None) -> list[Annotation]:
    """What a file says, for each of its images.

    Args:
        path: JSON of LabelMe, COCO, QuPath or Labkit, ROIs, a project of ilastik, a label image, or a corrected result.
        colours: what the colours of images mean; None: images hold label values.

    Raises:
        FileProblem: it is damaged, or of a kind that is not read.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".json", ".geojson", ".labeling"):
            return _of_json(path)
        if suffix == ".roi" or (suffix == ".zip" and is_roi_set(path)):
            return read_rois(path)
        if suffix == ".zip" and is_compressed(path):
            return read_compressed(path)
        if path.is_file() and suffix in ILASTIK:
            return read_ilastik(path)
    except UserError:
        raise
    except Exception as error:  # other programs' files may hold anything
        raise FileProblem(path, f"it can't be read ({on_one_line(error)})", "export it again") from error
    if (request := request_beside(path)) is not None and colours is None:
        return read_own_result(path, request)
    if path.is_file() and suffix in _OTHERS:
        raise FileProblem(path, "files of this kind are not read", _OTHERS[suffix])
    if not (is_image(path) or is_zarr(path)):
        raise FileProblem(path, "it is neither an image nor a file of annotations that is known", _known())
    if colours is not None:
        values, names = read_coloured(path, dict(colours))
        return [Annotation(path, values=values, names=names)]
    try:
        names = names_beside(path)
    except (ValueError, KeyError, TypeError) as error:
        raise FileProblem(
            Path(f"{path}.labels"), f"it can't be read ({on_one_line(error)})", "export it again"
        ) from error
    return [Annotation(path, values=_values(path), names=names)]


def _values(path: Path) -> np.ndarray:
    """The values (H, W) of a label image.

    Raises:
        FileProblem: it is in colour, or is no label image.
    """
    with open_only_image(path, stored=True) as source:
        pixels = source.read_all()
        if pixels.ndim == 3 and pixels.shape[-1] > 2 and (pixels[..., :1] != pixels[..., :3]).any():
            remedy = "say what its colours mean, as in --colours 'pore=#ff0000, rest=#000000'"
            raise FileProblem(path, "it is in colour, and nothing says what the colours mean", remedy)
        return source.read_classes()


def _of_json(path: Path) -> list[Annotation]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise FileProblem(path, f"it is no JSON ({on_one_line(error)})", "export it again") from error
    if is_labelme(content):
        return read_labelme(path, content)
    if is_coco(content):
        return read_coco(path, content)
    if is_labkit(content):
        return read_labkit(path, content)
    if (features := features_of(content)) is not None:
        return read_qupath(path, features)
    raise FileProblem(path, "it is JSON of no kind that is known", _known())


def _known() -> str:
    return (
        "give LabelMe or COCO JSON, GeoJSON of QuPath, ROIs of ImageJ (.roi, .zip), a Labkit labeling, an ilastik "
        "project, or a label image"
    )
