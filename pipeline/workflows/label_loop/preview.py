"""A preview of what strokes say: a classifier of pixels that follows them within seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.images.rectangles import Part
from pipeline.workflows.label_loop.pixel_features import FeatureMaps, PixelFeatures
from pipeline.workflows.label_loop.seen_image import SeenImage

INSTALL = "pip install 'vlsenet[label]'"
#: largest view (px): what does not fit is left out
MOST_PIXELS = 1 << 20
#: pixels of a class that are learned from; of more, some are drawn
_MOST_OF_CLASS = 4000
#: views whose features are kept
_KEPT = 4


@dataclass(frozen=True)
class Preview:
    """What the strokes make of a view.

    Attributes:
        part: of the image.
        codes: (H, W), uint8: the class of each pixel, as the strokes have it.
        certainty: (H, W), float32, 0 to 1: its probability.
    """

    part: Part
    codes: np.ndarray
    certainty: np.ndarray


class PixelClassifier:
    """Multinomial logistic regression on standardised features: a few strokes have far fewer pixels than features, and
    it is linear, which `FeatureMaps.linear` is quick at."""

    def __init__(self, features: np.ndarray, classes: np.ndarray) -> None:
        """
        Args:
            features: (N, D).
            classes: (N,), two of them at least.

        Raises:
            UserError: scikit-learn is not installed.
        """
        try:
            from sklearn.linear_model import LogisticRegression
        except ImportError as error:
            raise UserError(f"the preview needs scikit-learn: {INSTALL}") from error
        mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
        fitted = LogisticRegression(C=0.1, max_iter=200, class_weight="balanced")
        fitted.fit((features - mean) / spread, classes)
        weights = np.concatenate([-fitted.coef_, fitted.coef_]) if len(fitted.classes_) == 2 else fitted.coef_
        offsets = np.concatenate([-fitted.intercept_, fitted.intercept_]) if len(weights) == 2 else fitted.intercept_
        if len(fitted.classes_) == 2:  # of two classes there is one function, whose sign tells
            weights, offsets = weights / 2, offsets / 2
        self.classes = fitted.classes_.astype(np.uint8)
        self._weights = weights / spread
        self._offsets = offsets - self._weights @ mean

    def of(self, maps: FeatureMaps) -> tuple[np.ndarray, np.ndarray]:
        """Class (H, W), uint8, and its probability (H, W), float32, of all pixels of a part."""
        scores = maps.linear(self._weights, self._offsets)
        scores -= scores.max(axis=0)
        best = scores.argmax(axis=0)
        return self.classes[best], 1 / np.exp(scores).sum(axis=0)


class Previews:
    """Previews of one image, view by view. What was learned in earlier views of it counts in later ones.

    Args:
        image: as the model sees it; it stays open.
    """

    def __init__(self, image: SeenImage) -> None:
        self.image = image
        self._features: PixelFeatures | None = None
        self._maps: dict[Part, FeatureMaps] = {}

    @property
    def path(self) -> Path:
        """Of the image."""
        return self.image.path

    def of(self, view: Part, strokes: Callable[[Part], np.ndarray]) -> Preview:
        """What the strokes make of a view.

        Args:
            view: of the image (px); it is cut to what is imaged, and to `MOST_PIXELS` around its middle.
            strokes: gives the classes (H, W) that were painted in a part; 0 where nothing was.

        Raises:
            UserError: fewer than two classes were painted in the views so far, or the image can't be read.
        """
        part = fitting(view, self.image)
        maps = self._maps_of(part)
        samples, classes = self._samples(strokes)
        there = np.unique(classes)
        if len(there) < 2:
            painted = "nothing was painted" if not len(there) else "only one class was painted"
            raise UserError(f"{painted} in this view: paint a stroke in each of two phases at least, or in the rest")
        found, certainty = PixelClassifier(samples, classes).of(maps)
        return Preview(part, found, certainty)

    def _maps_of(self, part: Part) -> FeatureMaps:
        if part not in self._maps:
            if self._features is None:
                self._features = PixelFeatures(self.image)
            while len(self._maps) >= _KEPT:
                del self._maps[next(iter(self._maps))]
            self._maps[part] = self._features.of(part)
        self._maps[part] = self._maps.pop(part)  # the last used is the last
        return self._maps[part]

    def _samples(self, strokes: Callable[[Part], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, D) and classes (N,) of painted pixels in the views that are kept."""
        draw = np.random.default_rng(0)
        features, classes = [], []
        for part, maps in self._maps.items():
            painted = strokes(part)
            for code in np.unique(painted[painted > 0]):
                rows, columns = np.nonzero(painted == code)
                if len(rows) > _MOST_OF_CLASS:
                    chosen = draw.choice(len(rows), _MOST_OF_CLASS, replace=False)
                    rows, columns = rows[chosen], columns[chosen]
                features.append(maps.at(rows + part.y, columns + part.x))
                classes.append(np.full(len(rows), code))
        if not features:
            return np.zeros((0, 0), np.float32), np.zeros(0, int)
        return np.concatenate(features), np.concatenate(classes)


def fitting(view: Part, image: SeenImage) -> Part:
    """The part of a view that is imaged, and not larger than a preview may be.

    Raises:
        UserError: it shows nothing of the image.
    """
    rows, (_, width) = image.volume.rows, image.volume.shape
    top, bottom = max(view.y, rows.first), min(view.y + view.height, rows.stop)
    left, right = max(view.x, 0), min(view.x + view.width, width)
    if bottom - top < 1 or right - left < 1:
        raise UserError(f"{image.path}: the view shows nothing of the image; move it there")
    side = round(MOST_PIXELS**0.5)
    (top, bottom), (left, right) = _cut(top, bottom, side), _cut(left, right, side)
    return Part(0, top, left, bottom - top, right - left)


def _cut(first: int, stop: int, most: int) -> tuple[int, int]:
    """The middle of a span, of at most so many pixels."""
    if stop - first <= most:
        return first, stop
    begin = first + (stop - first - most) // 2
    return begin, begin + most
