"""JSON of LabelMe: an image's shapes."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.annotations.drawn import Annotation, Area, Drawing, Line, Pixels, separate_points
from pipeline.errors import FileProblem

_CIRCLE = 64  # corners
#: of shapes, up to LabelMe 6.3
_KINDS = (
    "polygon",
    "rectangle",
    "oriented_rectangle",
    "circle",
    "line",
    "linestrip",
    "point",
    "points",
    "mask",
)


def is_labelme(content: Any) -> bool:
    """Whether JSON is LabelMe's."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def read_labelme(path: Path, content: dict[str, Any]) -> list[Annotation]:
    """The shapes of a file, of one image.

    Raises:
        KeyError, ValueError, TypeError: it is not as LabelMe writes it.
        FileProblem: a shape is of a kind that is not read.
    """
    shape = content.get("imageHeight"), content.get("imageWidth")
    return [
        Annotation(
            path,
            Path(str(content["imagePath"]).replace("\\", "/")).name if content.get("imagePath") else None,
            (int(shape[0]), int(shape[1])) if shape[0] and shape[1] else None,
            [drawing for one in content["shapes"] for drawing in _drawings(path, one)],
        )
    ]


def _drawings(path: Path, shape: dict[str, Any]) -> list[Drawing]:
    name, kind = str(shape["label"]), shape.get("shape_type") or "polygon"
    if kind not in _KINDS:
        raise FileProblem(path, f"shapes of type {kind} ({name}) are not read", "draw it as a polygon or a line strip")
    points = np.array(shape["points"], float).reshape(-1, 2)
    return separate_points(name, points) if kind == "points" else [_drawing(shape, name, kind, points)]


def _drawing(shape: dict[str, Any], name: str, kind: str, points: np.ndarray) -> Drawing:
    if kind in ("polygon", "oriented_rectangle"):
        return Area(name, [points])
    if kind == "rectangle":
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return Area(name, [np.array([[left, top], [right, top], [right, bottom], [left, bottom]])])
    if kind == "circle":
        angles = np.linspace(0, 2 * np.pi, _CIRCLE, endpoint=False)
        radius = float(np.hypot(*(points[1] - points[0])))
        return Area(name, [points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)])
    if kind == "mask":
        mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))) != 0
        rows, columns = np.nonzero(mask)
        left, top = points.min(axis=0).astype(int)
        return Pixels(name, rows + top, columns + left)
    return Line(name, points)
