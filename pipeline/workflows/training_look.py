"""What a training's images look like, kept in its model file: so that a scan that the model does not know is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.engine.familiarity import Familiarity, describable, window_features
from pipeline.engine.pinned_network import SIDE, TILES, rock_tiles
from pipeline.engine.prediction import PredictionSettings
from pipeline.engine.sizes import network_scale
from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.foreground.measurement import Foreground
from pipeline.images.volume import volume_of_array
from pipeline.networks.inputs import STRIDE
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from pipeline.workflows.model_file import read_model_file

logger = logging.getLogger("vlsenet")

#: images that are looked at, of larger data sets evenly spread ones
MOST_IMAGES = 300


def image_features(
    image: np.ndarray, settings: PredictionSettings, trained_nm: Sequence[float], size: Sequence[float]
) -> np.ndarray:
    """Features (M, D) of the windows of an image (H, W), grey values as its file has them, as of a whole scan.

    Args:
        image: without an info bar.
        settings: how the network is applied.
        trained_nm: pixel sizes of its training (nm).
        size: pixel height and width (nm); NaN where not known.

    Raises:
        UserError: there is nothing to see in it.
    """
    known = (float(size[0]), float(size[1])) if np.isfinite(size).all() else None
    scale = network_scale(known, trained_nm if settings.rescale else [])
    windows = Windows(ChunkPlan(image.shape[0], image.shape[1], chunk=SIDE, block=SIDE), 0, scale)
    with volume_of_array(image, "image") as volume:
        foreground = Foreground.measured(volume, windows, settings.skip_empty, settings.shading)
        return window_features(rock_tiles(volume, windows, foreground, SIDE, TILES)[:, 0])


def features_of_items(
    items: Sequence[Mapping[str, Any]],
    read: Callable[[Any], Any],
    settings: PredictionSettings,
    trained_nm: Sequence[float],
) -> tuple[list[np.ndarray], list[str]]:
    """Features and source of each image of a data set that shows something.

    Args:
        items: as `sample_items` makes them; of many, evenly spread ones are looked at.
        read: the transforms that load an item, without random ones.
        settings: how the network is applied.
        trained_nm: pixel sizes of its training (nm).
    """
    count = min(len(items), MOST_IMAGES)
    features, sources = [], []
    for item in (items[i * len(items) // count] for i in range(count)):
        image = np.asarray(read(dict(item))["image"][0], np.float32)
        if min(image.shape) < STRIDE:
            continue
        try:
            features.append(image_features(image, settings, trained_nm, item["pixel_size_nm"]))
        except UserError as nothing:
            logger.debug("%s says nothing of the training: %s", item["name"], nothing)
            continue
        sources.append(str(item["source"]))
    return features, sources


def describe_training(
    path: Path,
    items: Sequence[Mapping[str, Any]],
    others: Sequence[Mapping[str, Any]],
    read: Callable[[Any], Any],
    settings: PredictionSettings,
) -> None:
    """Add to a model file what its training images look like, for `segment` to compare scans with.

    Args:
        path: `best.pt`, which is replaced in one step.
        items: the training images.
        others: validation images of other micrographs.
        read: as for `features_of_items`.
        settings: how the network is applied.
    """
    trained_nm = read_model_file(str(path))["data"]["pixel_sizes_nm"]
    images, sources = features_of_items(items, read, settings, trained_nm)
    if not describable(images):
        logger.warning("%s: the training images show too little for scans to be compared with them", path)
        return
    known = Familiarity.fitted(images, sources, features_of_items(others, read, settings, trained_nm)[0])
    add_to_model(path, familiarity=known.to_dict())


def add_to_model(path: Path, **entries: Any) -> None:
    """Replace entries of a model file's `data`, in one step."""
    content = read_model_file(str(path))
    content["data"] |= entries
    with atomic_path(path) as partial, partial.open("wb") as file:
        torch.save(content, file)
