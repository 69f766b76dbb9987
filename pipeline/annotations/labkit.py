"""Labelings of Labkit: JSON of pixels by the names of labels, or an index image with a list of names beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.annotations.drawn import Annotation, Pixels


def is_labkit(content: Any) -> bool:
    """Whether JSON is a labeling."""
    return isinstance(content, dict) and {"interval", "labels"} <= content.keys()


def read_labkit(path: Path, content: dict[str, Any]) -> list[Annotation]:
    """The labels of one image.

    Raises:
        KeyError, ValueError, TypeError: it is not as Labkit writes it, or of a stack.
    """
    low, high = content["interval"]["min"], content["interval"]["max"]
    if len(low) != 2:
        raise ValueError("it is of a stack: images of a data set are single slices")
    drawings = []
    for name, pixels in content["labels"].items():
        columns, rows = np.array(pixels, int).reshape(-1, 2).T
        drawings.append(Pixels(name, rows, columns))
    return [Annotation(path, None, (high[1] + 1, high[0] + 1), drawings)]


def names_beside(path: Path) -> dict[int, str]:
    """The names of the values of a TIFF that Labkit saved, by its list `NAME.tif.labels`; empty where there is none.

    Raises:
        ValueError: a value stands for several labels.
    """
    beside = path.with_name(path.name + ".labels")
    if not beside.is_file():
        return {}
    names = {}
    for value, labels in enumerate(json.loads(beside.read_text(encoding="utf-8"))["labelSets"]):
        if len(labels) > 1:
            raise ValueError(f"the labels {' and '.join(sorted(labels))} overlap")
        if labels:
            names[value] = str(labels[0])
    return names
