from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.metrics import ProbabilityHistogram
from pipeline.metrics.threshold import proven_threshold


def labelled(edge: float, seed: int, width: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Probability and truth of an image: what lies above `edge` is pore, but for 2 % of the labels."""
    rng = torch.Generator().manual_seed(seed)
    probability = torch.rand(width, width, generator=rng) ** 2
    wrong = torch.rand(width, width, generator=rng) < 0.02
    return probability, ((probability >= edge) != wrong).float()


def histograms(*edges: float, width: int = 400) -> list[ProbabilityHistogram]:
    return [ProbabilityHistogram.of(*labelled(edge, seed, width)) for seed, edge in enumerate(edges)]


def dice(probability: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    mask = probability >= threshold
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


@pytest.mark.parametrize("edge", [0.3, 0.5, 0.7])
def test_images_that_agree_prove_their_threshold(edge: float) -> None:
    assert proven_threshold(histograms(*[edge] * 8)) == pytest.approx(edge, abs=0.01)


def test_images_that_disagree_prove_nothing() -> None:
    images = histograms(0.25, 0.55)
    assert (images[0] + images[1]).best_threshold() < 0.45
    assert proven_threshold(images) == 0.5


def test_more_images_prove_more() -> None:
    edges = [0.25, 0.3, 0.35, 0.55]
    found = [abs(proven_threshold(histograms(*edges * repeats)) - 0.5) for repeats in (1, 4, 16)]
    best = abs(sum(histograms(*edges)[1:], histograms(*edges)[0]).best_threshold() - 0.5)
    assert found[0] < found[1] < found[2] <= best


def test_a_single_image_proves_nothing() -> None:
    (image,) = histograms(0.3)
    assert image.best_threshold() < 0.4
    assert proven_threshold([image]) == 0.5


def test_the_range_holds() -> None:
    assert proven_threshold(histograms(*[0.05] * 4)) == pytest.approx(0.2, abs=1 / 256)
    assert proven_threshold(histograms(*[0.98] * 4)) == pytest.approx(0.95, abs=1 / 256)


@pytest.mark.parametrize(("low", "high"), [(0.35, 0.45), (0.6, 0.65)])
def test_a_network_that_tells_nothing_apart_proves_nothing(low: float, high: float) -> None:
    """Its best threshold would call everything pore."""
    images = []
    for seed in range(4):
        rng = torch.Generator().manual_seed(seed)
        probability = low + (high - low) * torch.rand(100, 100, generator=rng)
        images.append(ProbabilityHistogram.of(probability, torch.rand(100, 100, generator=rng) < 0.08))
    together = sum(images[1:], images[0])
    assert together.counts_at(together.best_threshold()).porosity_predicted > 0.99
    assert proven_threshold(images) == 0.5


def test_a_network_that_tells_them_apart_below_the_range_still_has_a_threshold() -> None:
    assert proven_threshold(histograms(*[0.1] * 4)) == pytest.approx(0.2, abs=1 / 256)


def test_images_without_pores_are_no_mistake() -> None:
    empty = ProbabilityHistogram.of(torch.zeros(8, 8), torch.zeros(8, 8))
    assert proven_threshold([empty, empty]) == 0.5


def test_two_standard_errors_by_a_jackknife_over_the_images_themselves() -> None:
    edges = [0.28, 0.33, 0.36, 0.4, 0.3]
    images = [tuple(part.numpy() for part in labelled(edge, seed, 60)) for seed, edge in enumerate(edges)]

    def pooled(chosen: list[int], threshold: float) -> float:
        probability, truth = (np.concatenate([images[i][part].ravel() for i in chosen]) for part in (0, 1))
        return dice(probability, truth > 0, threshold)

    everything = list(range(len(images)))
    tried = [k / 256 for k in range(52, 205)]
    best = max(tried, key=lambda threshold: pooled(everything, threshold))
    as_good = []
    for threshold in tried:
        gains = [
            pooled(chosen, best) - pooled(chosen, threshold)
            for chosen in ([i for i in everything if i != left] for left in everything)
        ]
        error = np.sqrt((len(gains) - 1) / len(gains) * np.sum((np.array(gains) - np.mean(gains)) ** 2))
        if pooled(everything, best) - pooled(everything, threshold) <= 2 * error:
            as_good.append(threshold)
    expected = min(as_good, key=lambda threshold: abs(threshold - 0.5))
    assert expected not in (best, 0.5)
    found = proven_threshold([ProbabilityHistogram.of(torch.tensor(p), torch.tensor(t)) for p, t in images])
    assert found == expected
