from __future__ import annotations

import math

import pytest
import torch

from pipeline.engine.certificate import Seam


def test_by_hand() -> None:
    first = torch.tensor([[0.1, 0.6, math.nan, 0.5]])
    second = torch.tensor([[0.2, 0.3, 0.9, 0.5]])
    seam = Seam.between(first, second, thresholds=[0.5])
    assert seam.largest == pytest.approx(0.3, abs=1e-6)
    assert seam.mean == pytest.approx(0.4 / 3, abs=1e-6)
    assert seam.flipped == pytest.approx(1 / 3)
    assert seam.pixels == 3


def test_a_probability_equal_to_the_threshold_is_pore() -> None:
    at, others = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.125]])
    assert Seam.between(at, others, thresholds=[0.5]).flipped == 1
    assert Seam.between(at, 1 - others, thresholds=[0.5]).flipped == 0


def test_a_pixel_flips_where_its_phase_changes() -> None:
    """By hand: the first pixel keeps its phase, the second gets the other one, the third falls below all thresholds."""
    first = torch.tensor([[0.9, 0.6, 0.7], [0.8, 0.5, 0.1]])
    second = torch.tensor([[0.8, 0.5, 0.4], [0.7, 0.6, 0.1]])
    seam = Seam.between(first, second, [0.5, 0.5])
    assert seam.flipped == pytest.approx(2 / 3)
    assert seam.largest == pytest.approx(0.3)
    assert seam.pixels == 3


def test_equal_maps_have_no_seam() -> None:
    probability = torch.rand(1, 4, 5)
    assert Seam.between(probability, probability.clone(), [0.5]) == Seam(0, 0, 0, 20)


def test_nothing_to_compare_is_told() -> None:
    nothing = torch.full((2, 2), math.nan)
    with pytest.raises(ValueError, match="no pixel"):
        Seam.between(nothing, torch.zeros(2, 2), [0.5])
    with pytest.raises(ValueError, match="same pixels"):
        Seam.between(torch.zeros(2, 2), torch.zeros(2, 3), [0.5])
