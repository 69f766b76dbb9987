from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.covariance import OAS

from pipeline.engine.familiarity import (
    FAR,
    Familiarity,
    FeatureDistance,
    shrunk_covariance,
    window_features,
    windows_of,
)
from pipeline.synthetic import generate


def test_covariance_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    for count, size in ((30, 5), (8, 13), (400, 3)):
        features = random.normal(size=(count, size)) @ random.normal(size=(size, size))
        np.testing.assert_allclose(shrunk_covariance(features), OAS().fit(features).covariance_, rtol=1e-10)


def test_distance_is_the_mahalanobis_distance_of_the_windows() -> None:
    random = np.random.default_rng(1)
    known = random.normal(size=(5000, 3)) @ np.array([[2.0, 0, 0], [1, 1, 0], [0, 0, 5]]) + 7
    fitted, asked = FeatureDistance.fitted(known), known[:4] + 3
    inverse, off = np.linalg.inv(np.cov(known, rowvar=False)), asked - known.mean(0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", off, inverse, off).mean() / 3)
    assert fitted.of(asked) == pytest.approx(expected, rel=1e-2)
    assert fitted.of(known) == pytest.approx(1, rel=1e-2)


def test_windows_lie_side_by_side_in_the_middle() -> None:
    tiles = np.arange(2 * 70 * 130).reshape(2, 70, 130)
    windows = windows_of(tiles, 32)
    assert windows.shape == (16, 32, 32)
    np.testing.assert_array_equal(windows[0], tiles[0, 3:35, 1:33])
    np.testing.assert_array_equal(windows[5], tiles[0, 35:67, 33:65])
    assert windows_of(tiles, 128).shape == (2, 70, 128)


def normal(image: np.ndarray) -> np.ndarray:
    return ((image - image.mean()) / image.std())[None].astype(np.float32)


def rock(seed: int, side: int = 256) -> np.ndarray:
    return window_features(normal(generate((side, side), seed).image.astype(float)))


@pytest.fixture(scope="module")
def known() -> Familiarity:
    images = [rock(seed) for seed in range(10)]
    return Familiarity.fitted(images, [f"source {seed // 2}" for seed in range(10)])


def test_more_of_the_same_is_like_the_training_and_other_things_are_far_off(known: Familiarity) -> None:
    levels = [known.level(known.distance.of(rock(seed))) for seed in range(100, 106)]
    assert levels.count("like") >= 5
    assert "far off" not in levels
    random = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256] / 256
    others = {
        "noise": random.integers(0, 256, (256, 256)).astype(float),
        "gradient": x + y**2 + 0.02 * random.normal(size=x.shape),
        "blobs": gaussian_filter(random.normal(size=x.shape), 12),
        "stripes": np.sin(60 * x) + 0.1 * random.normal(size=x.shape),
    }
    for name, image in others.items():
        assert known.level(known.distance.of(window_features(normal(image)))) == "far off", name


def test_levels_meet_at_their_limits(known: Familiarity) -> None:
    assert known.far == pytest.approx(FAR * known.like)
    assert [known.level(known.like * f) for f in (1.0, 1.01, FAR, FAR + 0.01)] == [
        "like",
        "unlike",
        "unlike",
        "far off",
    ]


def test_sources_are_left_out_whole() -> None:
    """Two sources apart: an image is far from the other source, and near the rest of its own."""
    random = np.random.default_rng(2)
    images = [random.normal(size=(20, 3)) + (10 if number < 4 else 0) for number in range(8)]
    apart = Familiarity.fitted(images, ["a"] * 4 + ["b"] * 4)
    together = Familiarity.fitted(images, ["a", "b"] * 4)
    assert apart.like > 5 > 1.5 > together.like


def test_a_single_image_and_a_single_source_have_limits() -> None:
    assert 0 < Familiarity.fitted([rock(0, 768)], ["a"]).like < 2
    assert 0 < Familiarity.fitted([rock(0, 768), rock(1, 768)], ["a", "a"]).like < 3


@pytest.mark.parametrize("windows", [[], [12], [6, 6], [1] * 12])
def test_few_windows_describe_nothing(windows: list[int]) -> None:
    """An image left out of so few is thousands of spreads away, and everything would be like the training."""
    random = np.random.default_rng(3)
    images = [random.normal(size=(count, 13)) for count in windows]
    with pytest.raises(ValueError, match="too little"):
        Familiarity.fitted(images, ["a", "b"] * 6)


def test_a_source_is_not_left_out_where_nearly_nothing_is_left() -> None:
    random = np.random.default_rng(4)
    images = [random.normal(size=(count, 13)) for count in (60, 2)]
    assert Familiarity.fitted(images, ["a", "b"]).like < 3


def test_it_comes_back_from_a_file(known: Familiarity, tmp_path) -> None:
    torch.save(known.to_dict(), tmp_path / "kept.pt")
    again = Familiarity.from_dict(torch.load(tmp_path / "kept.pt", weights_only=True))
    assert (again.like, again.far) == (known.like, known.far)
    assert again.distance.of(rock(3)) == pytest.approx(known.distance.of(rock(3)), rel=1e-4)
