"""Corrected results of our own: a mask that was edited goes back as the label of its image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.annotations.drawn import Annotation
from pipeline.errors import FileProblem
from pipeline.images import stem_of
from pipeline.images.opening import open_file
from pipeline.label_values import REST_NAMES
from pipeline.phases import PORE

_MANIFEST = "manifest.json"
_HOW = "give the edited file: mask.ome.tif, phases.ome.tif, or segmentation.ome.zarr"


def request_beside(path: Path) -> dict[str, Any] | None:
    """What was asked of the segmentation that a file or Zarr belongs to; None where it belongs to none."""
    for folder in (path, *path.absolute().parents[:4]):
        manifest = folder / _MANIFEST
        if manifest.is_file():
            try:
                request = json.loads(manifest.read_text(encoding="utf-8"))["request"]
                return request if {"scan", "region"} <= request.keys() else None
            except (ValueError, KeyError, TypeError, AttributeError):
                return None
    return None


def read_own_result(path: Path, request: dict[str, Any]) -> list[Annotation]:
    """The label image of an edited result.

    Where pore was the only phase, any value but 0 is pore: a viewer paints with 1 over a mask of 255.

    Args:
        path: a file, or a Zarr.
        request: of its segmentation.

    Raises:
        FileProblem: it is a folder of results, a stack, or another file than a mask.
    """
    if (path / _MANIFEST).is_file():
        raise FileProblem(path, "it is the folder of a result", _HOW)
    if "slices" in request["scan"]:
        raise FileProblem(path, "it is the result of a stack", "export single slices as masks")
    file = open_file(path, stored=True)
    labelled = "phases" in request
    # a store has the mask, or the label image, in its first channel
    with file.open(0 if file.count > 1 else None) as source:
        values = source.read_classes()
    x, y, width, height = request["region"]
    if values.shape != (height, width):
        what = f"it is {values.shape[1]}x{values.shape[0]} pixels, but the result was {width}x{height}"
        raise FileProblem(path, what, "save it at the size of the result")
    if labelled:
        names = {0: REST_NAMES[0], **dict(enumerate(request["phases"], start=1))}
    else:
        values = (values != 0).astype(np.uint8)
        names = {0: REST_NAMES[0], 1: PORE}
    image = str(request["scan"]["name"])
    return [Annotation(path, stem_of(Path(image)), None, values=values, names=names, corner=(y, x), is_whole=True)]
