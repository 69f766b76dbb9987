from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.engine import ScanStore, build_pyramid
from pipeline.engine.pyramid import halve_codes, halve_mask, halve_probability
from tests.engine.scans import PLAN, bytes_of, part, probability_of, write_all

IMAGES = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def windows(pixels: np.ndarray) -> list[list[np.ndarray]]:
    height, width = pixels.shape
    return [[pixels[y : y + 2, x : x + 2] for x in range(0, width, 2)] for y in range(0, height, 2)]


@settings(max_examples=30)
@given(IMAGES)
def test_probability_is_the_mean_rounded_half_to_even(pixels: np.ndarray) -> None:
    expected = [[np.rint(window.mean()) for window in row] for row in windows(pixels)]
    np.testing.assert_array_equal(halve_probability(pixels), expected)


@settings(max_examples=30)
@given(IMAGES)
def test_mask_is_pore_from_half_the_area_on(pixels: np.ndarray) -> None:
    mask = np.where(pixels > 127, 255, 0).astype(np.uint8)
    expected = [[255 * ((window > 0).mean() >= 0.5) for window in row] for row in windows(mask)]
    np.testing.assert_array_equal(halve_mask(mask), expected)


@settings(max_examples=100)
@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 4)))
def test_a_code_is_that_of_most_pixels_and_a_phase_where_as_many_are_none(codes: np.ndarray) -> None:
    padded = np.pad(codes, ((0, codes.shape[0] % 2), (0, codes.shape[1] % 2)), mode="edge")
    coarse = halve_codes(codes)
    for y, row in enumerate(windows(padded)):
        for x, window in enumerate(row):
            counts = Counter(window.ravel().tolist())
            most = [code for code, count in counts.items() if count == max(counts.values())]
            assert coarse[y, x] == min(most, key=lambda code: (code == 0, code))


@settings(max_examples=30)
@given(IMAGES)
def test_codes_of_one_phase_are_halved_as_its_mask(pixels: np.ndarray) -> None:
    codes = (pixels > 127).astype(np.uint8)
    np.testing.assert_array_equal(halve_codes(codes) * 255, halve_mask(codes * np.uint8(255)))


def test_levels_by_chunks_are_those_of_the_whole_image(tmp_path: Path) -> None:
    store = write_all(tmp_path / "a.ome.zarr")
    group = zarr.open(str(tmp_path / "a.ome.zarr"), mode="r")
    assert len(store.shapes) == 4
    for level in range(1, 4):
        fine, coarse = group[str(level - 1)][0, :, 0], group[str(level)][0, :, 0]
        np.testing.assert_array_equal(coarse[0], halve_mask(fine[0]))
        np.testing.assert_array_equal(coarse[1], halve_probability(fine[1]))


def test_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(tmp_path / "a" / "x.ome.zarr")
    store = ScanStore.create(tmp_path / "b" / "x.ome.zarr", PLAN, "request")
    for index in range(len(PLAN)):
        store.write_chunk(index, part(PLAN, probability_of(PLAN), index)[None], [0.5])
    write = ScanStore.write
    written: list[tuple] = []

    def stops(self: ScanStore, level: int, channel: int, at: tuple[int, int, int], pixels: np.ndarray) -> None:
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append((level, channel, at))
        write(self, level, channel, at, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(ScanStore, "write", stops)
        with pytest.raises(KeyboardInterrupt):
            build_pyramid(store)
    build_pyramid(store, threads=3)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_processes_need_a_barrier(tmp_path: Path) -> None:
    store = ScanStore.create(tmp_path / "a.ome.zarr", PLAN, "request")
    with pytest.raises(ValueError, match="barrier"):
        build_pyramid(store, 0, 2)
