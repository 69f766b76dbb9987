"""A network learns to find what its phrase asks for, where nothing but the phrase says what that is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.networks import SegmentationLoss, VLSENet, build_network

SIDE, SMALL, LARGE = 48, 2, 7


def blobs(generator: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N, 1, H, W) of small and large discs of one grey, and the masks (N, 2, H, W) of either."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    masks = np.zeros((count, 2, SIDE, SIDE), bool)
    for image in masks:
        for phase, radius, times in ((1, LARGE, 2), (0, SMALL, 8)):
            for y, x in generator.uniform(radius, SIDE - radius, (times, 2)):
                disc = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
                around = (rows - y) ** 2 + (columns - x) ** 2 <= (radius + 2) ** 2
                if not (around & image.any(0)).any():  # none touches another
                    image[phase] |= disc
    grey = masks.any(1, keepdims=True) * -2.0 + generator.normal(0, 0.3, (count, 1, SIDE, SIDE))
    return torch.from_numpy(grey.astype(np.float32)), torch.from_numpy(masks.astype(np.float32))


def trained(learned: bool, steps: int) -> tuple[VLSENet, torch.Tensor, torch.Tensor]:
    """A tiny network, and the text (2, D) and tokens (2, L, D) of the two phrases."""
    torch.manual_seed(0)
    network = build_network(text_dim=16, phases=2, features=(8, 8, 16, 16, 32), learned_text=learned)
    assert isinstance(network, VLSENet)
    text = torch.eye(2, 16) if learned else F.normalize(torch.randn(2, 16), dim=1)
    tokens = text.unsqueeze(1)
    optimiser, loss = torch.optim.AdamW(network.parameters(), lr=5e-3), SegmentationLoss()
    generator = np.random.default_rng(0)
    for step in range(steps):
        image, mask = blobs(generator, 4)
        if step % 2:  # of another data set: one of the two is not known in each image
            mask[:2, 0] = mask[2:, 1] = -1
        optimiser.zero_grad()
        loss(network(image, text.expand(4, -1, -1), tokens.expand(4, -1, -1, -1), mask), mask).backward()
        optimiser.step()
    return network.eval(), text, tokens


def dice(logits: torch.Tensor, mask: torch.Tensor) -> list[float]:
    """Of each phrase."""
    found = (logits > 0).float()
    return (2 * (found * mask).sum((0, 2, 3)) / (found + mask).sum((0, 2, 3))).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("learned", [False, True])
def test_two_phases_of_one_grey_are_told_apart_by_their_phrases(learned: bool) -> None:
    network, text, tokens = trained(learned, 70)
    image, mask = blobs(np.random.default_rng(1), 8)
    with torch.no_grad():
        own, exchanged = (
            network(image, t.expand(8, -1, -1), tt.expand(8, -1, -1, -1))
            for t, tt in ((text, tokens), (text.flip(0), tokens.flip(0)))
        )
    assert min(dice(own, mask)) > 0.8
    assert max(dice(exchanged, mask)) < 0.3
