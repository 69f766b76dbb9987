from __future__ import annotations

import pickle

import numpy as np

from pipeline.measure.pores_2d.pieces import PoreTracker
from pipeline.measure.pores_2d.strips import strips
from tests.measure.pores_2d.shapes import random_mask


def test_a_pore_that_spans_the_scan_is_carried_as_its_hull() -> None:
    """What is kept of it does not grow with the rows."""
    mask = random_mask((3000, 60), 0.7, 1.0, 0)
    probability = np.zeros(mask.shape, np.uint8)
    tracker = PoreTracker()
    kept = []
    for strip in strips(((mask[row : row + 20], probability[row : row + 20]) for row in range(0, 3000, 20)), 60):
        tracker.add(strip)
        kept.append(len(pickle.dumps(tracker)))
    assert max(tracker.finish().area) > 0.9 * mask.sum()
    assert max(kept[75:]) < 2 * max(kept[:15])


def test_pores_are_handed_out_as_soon_as_they_end() -> None:
    mask = np.zeros((40, 9), bool)
    mask[3:5, 2:4] = True
    mask[10:35, 6] = True
    tracker = PoreTracker()
    ended = []
    bands = ((mask[row : row + 4], np.zeros((4, 9), np.uint8)) for row in range(0, 40, 4))
    for strip in strips(bands, 9):
        for pores in tracker.add(strip):
            ended += [(int(bottom), strip.top + len(strip.probability)) for bottom in pores.bottom]
    assert [bottom for bottom, _ in ended] == [4, 34]
    assert all(seen - bottom <= 5 for bottom, seen in ended)
    assert len(tracker.finish()) == 0
