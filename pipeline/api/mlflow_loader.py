"""A trained model as `mlflow.pyfunc` loads it; what a training logs with its model names `vlsenet`.

model = mlflow.pyfunc.load_model("runs:/RUN/model")
found = model.predict(images, params={"pixel_size_nm": 10.0})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.api.loading import load
from pipeline.api.model import Model


class LoadedModel:
    """What MLflow asks: a model that predicts arrays.

    Args:
        model: that is asked.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, images: np.ndarray, params: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Segment micrographs, each by itself, as `Model.predict` does.

        Args:
            images: grey levels (N, H, W).
            params: `pixel_size_nm`: side of a pixel (nm), or None.

        Returns:
            `probability`: of each phase (N, K, H, W), float32; `mask` (N, H, W), uint8: k is the k-th phase, 0 none.

        Raises:
            UserError: an image can't be segmented.
        """
        count, *size = np.shape(images)
        results = self.model.predict_batch(images, pixel_size_nm=(params or {}).get("pixel_size_nm"))
        probabilities = [[one.probability for one in result.phases.values()] for result in results]
        return {
            # the shapes are those of no images, too
            "probability": np.asarray(probabilities, np.float32).reshape(count, len(self.model.phases), *size),
            "mask": np.asarray([result.mask for result in results], np.uint8).reshape(count, *size),
        }


def load_logged(path: str) -> LoadedModel:
    """The model of a file of weights."""
    return LoadedModel(load(path))


#: the door of models that versions up to 0.2.0 logged; now it is `vlsenet`'s
_load_pyfunc = load_logged
