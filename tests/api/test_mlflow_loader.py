"""What MLflow's loader gives, by the shapes that the logged model's signature names."""

from __future__ import annotations

import numpy as np
import pytest

import pipeline as vlsenet
from pipeline.api.mlflow_loader import LoadedModel


@pytest.mark.parametrize("count", [0, 2])
def test_its_shapes_are_those_of_the_signature(model: vlsenet.Model, image: np.ndarray, count: int) -> None:
    images = np.stack([image[:64, :80]] * 2)[:count].astype(np.float32)
    found = LoadedModel(model).predict(images)
    assert (found["probability"].shape, found["probability"].dtype) == ((count, 1, 64, 80), np.float32)
    assert (found["mask"].shape, found["mask"].dtype) == ((count, 64, 80), np.uint8)
    if count:
        np.testing.assert_array_equal(found["mask"][1], model.predict(images[1]).mask)
