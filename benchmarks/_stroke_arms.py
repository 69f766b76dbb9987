"""What can learn from strokes: a network, and a random forest on features of each pixel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from _strokes import UNLABELLED
from PIL import Image
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier

from pipeline.images.rectangles import Part
from pipeline.phases import decided
from pipeline.workflows.label_loop.pixel_features import PixelFeatures
from pipeline.workflows.label_loop.seen_image import SeenImage
from pipeline.workflows.model_file import TrainedModel

_FOREST = {"n_estimators": 100, "min_samples_leaf": 5}

#: where a tile's pixels are pore, by the tile's file: (H, W), truth values
Predict = Callable[[Path], np.ndarray]


def network_of(model: TrainedModel) -> Predict:
    """A trained network."""

    def predict(path: Path) -> np.ndarray:
        with SeenImage.opened(path, model, info_bar="keep") as image:
            return decided(image.probability(Part(0, 0, 0, *image.volume.shape)), model.thresholds) == 1

    return predict


def forest_of(strokes: dict[Path, np.ndarray], features: Callable[[Path], np.ndarray], seed: int) -> Predict:
    """A random forest on features (H, W, D) of the pixels with strokes."""
    samples, classes = [], []
    for path, label in strokes.items():
        known = label != UNLABELLED
        samples.append(features(path)[known])
        classes.append(label[known])
    forest = RandomForestClassifier(**_FOREST, random_state=seed).fit(np.concatenate(samples), np.concatenate(classes))
    pore = list(forest.classes_).index(1)

    def predict(path: Path) -> np.ndarray:
        own = features(path)
        probability = forest.predict_proba(own.reshape(-1, own.shape[-1]))[:, pore]
        return probability.reshape(own.shape[:2]) >= 0.5

    return predict


def plain_features(path: Path) -> np.ndarray:
    """Of each pixel (H, W, D), of an image of mean 0 and spread 1."""
    grey = np.asarray(Image.open(path), np.float32)
    return multiscale_basic_features((grey - grey.mean()) / grey.std(), sigma_min=0.5, sigma_max=16)


def network_features(model: TrainedModel) -> Callable[[Path], np.ndarray]:
    """Of each pixel (H, W, D), from inside a network."""

    def features(path: Path) -> np.ndarray:
        with SeenImage.opened(path, model, info_bar="keep") as image:
            height, width = image.volume.shape
            rows, columns = (place.ravel() for place in np.mgrid[:height, :width])
            maps = PixelFeatures(image).of(Part(0, 0, 0, height, width))
            return maps.at(rows, columns).reshape(height, width, -1)

    return features
