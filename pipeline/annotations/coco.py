"""JSON of COCO: polygons and run lengths of the objects of many images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.annotations.drawn import Annotation, Area, Drawing, Pixels


def is_coco(content: Any) -> bool:
    """Whether JSON is COCO's."""
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def read_coco(path: Path, content: dict[str, Any]) -> list[Annotation]:
    """The objects of each image; a smaller one lies upon a larger one.

    Raises:
        KeyError, ValueError, TypeError: it is not as COCO has it.
    """
    categories = {one["id"]: str(one["name"]) for one in content["categories"]}
    of_image: dict[Any, list[dict[str, Any]]] = {}
    for one in content["annotations"]:
        of_image.setdefault(one["image_id"], []).append(one)
    found = []
    for image in content["images"]:
        objects = sorted(of_image.get(image["id"], []), key=lambda one: -float(one.get("area") or 0))
        drawings = [drawing for one in objects for drawing in _drawings(one, categories[one["category_id"]])]
        shape = (int(image["height"]), int(image["width"])) if image.get("height") and image.get("width") else None
        name = Path(str(image["file_name"]).replace("\\", "/")).name
        found.append(Annotation(path, name, shape, drawings))
    return found


def _drawings(annotation: dict[str, Any], name: str) -> list[Drawing]:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        height, width = segmentation["size"]
        counts = segmentation["counts"]
        mask = run_lengths(_counts(counts) if isinstance(counts, str) else counts, height, width)
        return [Pixels(name, *np.nonzero(mask))]
    if not segmentation:
        raise ValueError(f"annotation {annotation.get('id')} is a box without a segmentation")
    # parts of one object, not holes: each is an area of its own
    return [Area(name, [np.array(part, float).reshape(-1, 2)]) for part in segmentation]


def run_lengths(counts: list[int], height: int, width: int) -> np.ndarray:
    """The mask (H, W) of lengths of runs that are outside and inside by turns, column by column."""
    if sum(counts) != height * width:
        raise ValueError(f"run lengths of {sum(counts)} pixels for {width} x {height}")
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return values.reshape(width, height).T


def _counts(text: str) -> list[int]:
    """Run lengths from COCO's text: numbers of 5 bits a letter, from the third on less the one before the last."""
    counts: list[int] = []
    letters = iter(text.encode("ascii"))
    for letter in letters:
        number, shift = 0, 0
        while True:
            bits = letter - 48
            number |= (bits & 0x1F) << shift
            shift += 5
            if not bits & 0x20:
                break
            letter = next(letters)
        if bits & 0x10:
            number -= 1 << shift
        counts.append(number + counts[-2] if len(counts) > 2 else number)
    return counts
