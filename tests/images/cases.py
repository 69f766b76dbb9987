"""Scans to be read, and windows to read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.images import ImageSource


def noise(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    """Random pixels over the whole range of a type, different in each place."""
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(0.3, 2.0, shape).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def windows(shape: tuple[int, int], count: int = 12) -> Iterator[tuple[int, int, int, int]]:
    """The whole, single pixels and strips at the borders, and random windows: (top, left, height, width)."""
    height, width = shape
    yield 0, 0, height, width
    yield height - 1, width - 1, 1, 1
    yield 0, width - 1, height, 1
    yield height - 1, 0, 1, width
    rng = np.random.default_rng(1)
    for _ in range(count):
        top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
        yield top, left, int(rng.integers(1, height - top + 1)), int(rng.integers(1, width - left + 1))


def assert_reads(source: ImageSource, expected: np.ndarray) -> None:
    """All windows equal the array's, type included."""
    assert source.shape == expected.shape
    assert source.dtype == expected.dtype
    for top, left, height, width in windows(expected.shape):
        window = source.read(top, left, height, width)
        assert window.dtype == expected.dtype
        np.testing.assert_array_equal(window, expected[top : top + height, left : left + width])
        window[...] = 0  # the caller's own
    np.testing.assert_array_equal(source.read(0, 0, *source.shape), expected)
