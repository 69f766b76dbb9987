from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from pipeline.measure.pore_statistics.chords import ChordCounter, Chords


def by_hand(pore: np.ndarray, rock: np.ndarray) -> tuple[dict[int, int], int, int, int]:
    """Lengths of whole chords, cut ones, pixels and ends, line by line."""
    lengths: dict[int, int] = {}
    cut = pixels = ends = 0
    for line in np.where(rock, np.where(pore, 1, 0), 2):
        runs = [(2, 1), *((value, len(list(group))) for value, group in groupby(line)), (2, 1)]
        for before, (value, length), after in zip(runs, runs[1:-1], runs[2:], strict=False):
            if value != 1:
                continue
            inside = int(before[0] != 2) + int(after[0] != 2)
            pixels, ends = pixels + length, ends + inside
            if inside == 2:
                lengths[length] = lengths.get(length, 0) + 1
            else:
                cut += 1
    return lengths, cut, pixels, ends


@pytest.mark.parametrize("density", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("step", [1, 7, 100])
def test_chords_however_the_lines_are_cut(density: float, step: int) -> None:
    random = np.random.default_rng(int(10 * density) + step)
    pore = random.random((30, 60)) < density
    rock = np.kron(random.random((6, 6)) < 0.7, np.ones((5, 10), bool))
    counter = ChordCounter(30)
    for start in range(0, 60, step):
        part = slice(start, start + step)
        for lines in (slice(0, 12), slice(12, 30)):
            there = rock[lines, part]
            counter.add(pore[lines, part], None if there.all() else there, lines)
    counter.stop()
    found = counter.result()
    lengths, cut, pixels, ends = by_hand(pore, rock)
    assert {length: count for length, count in enumerate(found.counts) if count} == lengths
    assert (found.cut, found.pixels, found.ends) == (cut, pixels, ends)


def test_stripes() -> None:
    pore = np.tile(np.arange(60) % 10 < 4, (20, 1))  # the first stripe is cut by the border
    across, along = ChordCounter(20), ChordCounter(60)
    across.add(pore, None)
    along.add(pore.T, None)
    across.stop()
    along.stop()
    assert across.result().counts.tolist() == [0, 0, 0, 0, 5 * 20]
    assert across.result().cut == 20
    assert across.result().median == 4
    assert along.result().counts.sum() == 0  # from border to border: no length is known
    assert np.isnan(along.result().mean_intercept)
    assert np.isnan(along.result().median)


def test_independent_pixels_have_geometric_chords() -> None:
    """P(length) = (1 - p) p^(length - 1), of mean 1 / (1 - p), however short the lines."""
    pore = np.random.default_rng(3).random((40_000, 20)) < 0.8
    counter = ChordCounter(len(pore))
    counter.add(pore, None)
    counter.stop()
    found = counter.result()
    assert found.mean_intercept == pytest.approx(5, rel=0.02)
    whole = np.average(np.arange(len(found.counts)), weights=found.counts)
    assert whole < 4.2  # what the mean of the whole chords alone would say


def test_density_adds_up_to_one() -> None:
    chords = Chords(np.array([0, 4, 3, 2, 0, 1]), 0, 21, 20)
    edges = np.array([1.0, 1.5, 2.0, 3.5, 6.0])
    density = chords.density(edges)
    np.testing.assert_allclose(density, [0.4, 0, 0.5 / 2, 0.1 / 2])
