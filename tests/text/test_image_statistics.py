from __future__ import annotations

import tracemalloc
from dataclasses import astuple

import numpy as np
import pytest
from scipy.stats import entropy

from pipeline.text.prompt_writer import ImageStatistics


def rock(shape=(200, 240), seed=0) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return np.rint(40 + 160 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


def test_against_the_formulas():
    image = rock()
    low, high = np.percentile(image, (0.5, 99.5))
    scaled = np.clip((image.astype(float) - low) / (high - low), 0, 1)
    found = ImageStatistics.of(image)
    assert found.mean == pytest.approx(scaled.mean(), abs=1e-5)
    assert found.std == pytest.approx(scaled.std(), abs=1e-5)
    assert (found.p10, found.median, found.p90) == pytest.approx(np.percentile(scaled, (10, 50, 90)), abs=1e-5)
    counts, _ = np.histogram(scaled, bins=64, range=(0, 1))
    assert found.entropy == pytest.approx(entropy(counts, base=2), abs=0.02)


def test_a_ramp_has_its_slope_and_all_levels():
    # 1000 columns: the clipped ends are half a percent each
    found = ImageStatistics.of(np.tile(np.arange(1000, dtype=np.uint16), (50, 1)))
    assert found.gradient_strength == pytest.approx(1 / 990, rel=0.02)
    assert found.edge_density == 0
    assert found.entropy == pytest.approx(6, abs=0.01)
    assert found.mean == pytest.approx(0.5, abs=1e-3)
    assert found.std == pytest.approx(1 / np.sqrt(12), rel=0.02)


def test_edges_are_counted_where_they_are():
    image = np.zeros((100, 100), np.uint8)
    image[:, 50:] = 255
    # a step, smoothed by a Gaussian of 1 px, is steeper than 0.1 per pixel at distances of 0.5 and 1.5 px
    assert ImageStatistics.of(image).edge_density == pytest.approx(4 / 100)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.astype(np.uint16) * 257,
        lambda image: image.astype(np.uint16) * 16,  # twelve bits in sixteen
        lambda image: image.astype(np.float32) / 255 - 3,
        lambda image: (image // 2 + 100).astype(np.float32) + (image % 2) / 2,
    ],
)
def test_bit_depth_brightness_and_contrast_do_not_count(change):
    expected = astuple(ImageStatistics.of(rock()))
    assert astuple(ImageStatistics.of(change(rock()))) == pytest.approx(expected, rel=0.01, abs=0.01)


def test_a_frame_does_not_count():
    image = rock()
    assert ImageStatistics.of(np.pad(image, 7)) == ImageStatistics.of(image)


def test_a_single_value_gives_zeros():
    assert set(astuple(ImageStatistics.of(np.full((30, 30), 7, np.uint8)))) == {0}


def test_a_few_other_pixels_decide_where_nearly_all_are_equal():
    image = np.full((100, 100), 9, np.uint8)
    image[0, 0] = 10
    assert ImageStatistics.of(image).mean == pytest.approx(1e-4)


def test_a_large_image_is_sampled_in_bounded_memory_at_full_resolution():
    image = np.tile(rock((200, 200)), (25, 30))
    tracemalloc.start()
    sampled = ImageStatistics.of(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6  # as float32 the image alone has 120 MB
    whole = ImageStatistics.of(image[:2000, :2000])
    assert astuple(sampled) == pytest.approx(astuple(whole), rel=0.02, abs=0.01)
