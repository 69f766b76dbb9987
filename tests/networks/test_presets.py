from __future__ import annotations

import itertools

import pytest

from pipeline.networks import preset_features


@pytest.mark.parametrize(("preset", "first", "last"), [("small", 16, 256), ("base", 32, 512), ("large", 64, 1024)])
def test_presets_double_from_level_to_level(preset: str, first: int, last: int) -> None:
    features = preset_features(preset)
    assert (features[0], features[-1]) == (first, last)
    assert all(deeper == 2 * level for level, deeper in itertools.pairwise(features))
