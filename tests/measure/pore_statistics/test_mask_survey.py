from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.store import MASK
from pipeline.measure.pore_statistics.chords import ChordCounter
from pipeline.measure.pore_statistics.mask_survey import survey
from pipeline.measure.pore_statistics.two_point import TwoPointCounter
from tests.measure.pore_statistics.stores import rock_blocks, store_of


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    random = np.random.default_rng(0)
    return np.kron(random.random((60, 90)) < 0.4, np.ones((5, 4), bool))[:293, :347]


def test_the_same_as_over_the_whole_mask(mask: np.ndarray, tmp_path: Path) -> None:
    rock = np.ones(mask.shape, bool)
    rock[:70, 200:260] = False
    probability = np.where(mask, 0.9, 0.2).astype(np.float32)
    store, entries = store_of(tmp_path, mask, rock=rock, probability=probability)
    found = survey(store, rock_blocks(store, entries))
    domain = np.ones(mask.shape, bool)
    domain[:96, 192:288] = False  # the blocks of 32 px that hold something else than rock
    assert found.share == 1
    assert found.pixels == domain.sum()
    for axis, pairs, chords in ((1, found.two_point_x, found.chords_x), (0, found.two_point_y, found.chords_y)):
        counter = TwoPointCounter(pairs.lags, axis)
        counter.add(mask, domain, mask.shape[axis])
        np.testing.assert_array_equal(pairs.hits, counter.result().hits)
        np.testing.assert_array_equal(pairs.pairs, counter.result().pairs)
        lines = ChordCounter(mask.shape[1 - axis])
        turn = (lambda pixels: pixels) if axis == 1 else np.transpose
        lines.add(turn(mask), turn(domain))
        lines.stop()
        np.testing.assert_array_equal(chords.counts, lines.result().counts)
        assert (chords.cut, chords.ends) == (lines.result().cut, lines.result().ends)
        assert pairs.lags[-1] == 64
    assert found.probabilities[[51, 230]].tolist() == [(~mask & domain).sum(), (mask & domain).sum()]
    assert found.pore is not None
    assert found.rock is not None
    assert found.pore.sum() == (mask & domain).sum()
    assert found.rock[0, 0, 5] == 32 * 32
    assert found.rock[0, 0, 6] == 0


def test_slices_do_not_touch(tmp_path: Path) -> None:
    """Columns of pore through all slices: chords along y must not go on from one to the next."""
    mask = np.zeros((3, 100, 100), bool)
    mask[:, :, 50] = True
    store, entries = store_of(tmp_path, mask)
    found = survey(store, rock_blocks(store, entries))
    assert (found.chords_y.cut, found.chords_y.pixels) == (3, 300)
    assert found.chords_x.counts[1] == 300
    assert found.two_point_y.s2[10] == pytest.approx(0.01)


def test_a_large_scan_is_sampled(mask: np.ndarray, tmp_path: Path) -> None:
    store, entries = store_of(tmp_path, mask)
    found = survey(store, rock_blocks(store, entries), most_pixels=2 * 64 * 347)
    assert found.share == pytest.approx(2 / 5)
    assert found.pore is None
    # rows of chunks 1 and 3
    expected = np.concatenate([mask[64:128], mask[192:256]])
    assert found.two_point_x.hits[0] == expected.sum()
    assert found.chords_y.pixels == expected.sum()
    lines = ChordCounter(128)
    lines.add(expected, None)
    lines.stop()
    np.testing.assert_array_equal(found.chords_x.counts, lines.result().counts)


def test_nothing_but_partly_empty_blocks(tmp_path: Path) -> None:
    rock = np.zeros((40, 40), bool)
    rock[5:20, 5:20] = True
    store, entries = store_of(tmp_path, rock, rock=rock)
    found = survey(store, rock_blocks(store, entries))
    assert found.pixels == 0
    assert np.isnan(found.two_point_x.s2).all()
    assert np.isnan(found.chords_x.mean_intercept)


def test_a_chunk_is_not_read_for_each_neighbour_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, entries = store_of(tmp_path, np.ones((128, 160), bool), chunk=32)
    read: Counter[tuple[int, int, int]] = Counter()
    from_disk = store.read

    def counted(level: int, channel: int, at: tuple[int, int, int]) -> np.ndarray:
        read[at] += channel == MASK
        return from_disk(level, channel, at)

    monkeypatch.setattr(store, "read", counted)
    survey(store, rock_blocks(store, entries))
    assert len(read) == 20
    assert max(read.values()) <= 2  # with its row, and below the one before
