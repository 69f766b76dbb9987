from __future__ import annotations

import numpy as np
import torch

from pipeline.networks.region_alignment import TEMPERATURE, PhaseContrast, RegionAlignment, pool_region
from pipeline.phases import UNKNOWN


def test_region_mean_is_weighted_by_the_share_of_pore_in_a_cell() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 2, 4, generator=generator)
    mask = (torch.rand(2, 1, 32, 64, generator=generator) < 0.1).float()
    fine = features.numpy().repeat(16, axis=2).repeat(16, axis=3)
    expected = [fine[n][:, mask[n, 0].numpy() > 0].mean(axis=1) for n in range(2)]
    np.testing.assert_allclose(pool_region(features, mask)[0].numpy(), np.stack(expected), rtol=1e-4, atol=1e-6)


def test_a_pore_of_one_pixel_counts() -> None:
    features, mask = torch.randn(1, 3, 2, 2), torch.zeros(1, 1, 32, 32)
    mask[0, 0, 20, 5] = 1
    torch.testing.assert_close(pool_region(features, mask)[0][0], features[0, :, 1, 0])


def test_loss_is_one_minus_cosine() -> None:
    torch.manual_seed(0)
    head = RegionAlignment(3, 12)
    features, text, mask = torch.randn(2, 3, 2, 2), torch.randn(2, 12), torch.ones(2, 1, 32, 32)
    visual = head.visual_projection(features.mean((2, 3))).detach().numpy()
    words = head.text_projection(text).detach().numpy()
    cosine = (visual * words).sum(1) / (np.linalg.norm(visual, axis=1) * np.linalg.norm(words, axis=1))
    np.testing.assert_allclose(head(features, text, mask).detach().numpy(), 1 - cosine, rtol=1e-4)


def test_a_sample_without_pores_has_no_loss_and_no_gradient() -> None:
    head, features = RegionAlignment(3, 12), torch.randn(2, 3, 2, 2, requires_grad=True)
    mask = torch.zeros(2, 1, 32, 32)
    mask[1] = 1
    loss = head(features, torch.randn(2, 12), mask)
    loss.sum().backward()
    assert loss[0] == 0
    assert loss[1] > 0
    assert (features.grad[0] == 0).all()
    assert features.grad[1].abs().max() > 0
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


def test_what_is_not_known_is_of_no_region() -> None:
    features, mask = torch.randn(1, 3, 2, 2), torch.full((1, 1, 32, 32), UNKNOWN)
    mask[..., 20, 5] = 1
    region, weight = pool_region(features, mask)
    torch.testing.assert_close(region[0], features[0, :, 1, 0])
    assert weight.item() == 1 / 256


def stripes(phases: int, *present: tuple[int, ...]) -> torch.Tensor:
    """Masks (N, K, 32, 32): in each sample one row of cells for each of its phases, and the others not known."""
    mask = torch.full((len(present), phases, 32, 32), UNKNOWN)
    for sample, there in enumerate(present):
        for row, phase in enumerate(there):
            mask[sample, phase] = 0
            mask[sample, phase, 16 * row : 16 * (row + 1)] = 1
    return mask


def test_each_region_chooses_among_the_texts_of_the_phases_in_the_batch() -> None:
    torch.manual_seed(0)
    head = PhaseContrast(3, 12)
    features, text = torch.randn(2, 3, 2, 2), torch.randn(2, 4, 12)
    mask = stripes(4, (0, 2), (1,))  # phase 3 is nowhere
    found = head(features, text, mask)

    def probability(sample: int, region: torch.Tensor, phase: int) -> torch.Tensor:
        cosines = torch.cosine_similarity(head.visual_projection(region), head.text_projection(text[sample, :3]), dim=1)
        return (cosines / TEMPERATURE).softmax(0)[phase]

    top, bottom = features.mean(3).unbind(2)
    first = -(probability(0, top[0], 0).log() + probability(0, bottom[0], 2).log()) / 2
    torch.testing.assert_close(found, torch.stack([first, -probability(1, top[1], 1).log()]))


def test_regions_of_a_single_phase_have_no_contrast() -> None:
    head, features = PhaseContrast(3, 12), torch.randn(2, 3, 2, 2, requires_grad=True)
    mask = stripes(2, (1,), (1,))
    mask[1] = UNKNOWN
    loss = head(features, torch.randn(2, 2, 12), mask)
    loss.sum().backward()
    assert (loss == 0).all()
    assert not features.grad.any()


def test_contrast_learns_to_tell_regions_apart() -> None:
    torch.manual_seed(0)
    head, mask, text = PhaseContrast(3, 12), stripes(2, (0, 1), (1, 0)), torch.randn(1, 2, 12).expand(2, -1, -1)
    features = torch.stack([torch.eye(3)[:2], torch.eye(3)[[1, 0]]]).transpose(1, 2).unsqueeze(3).expand(-1, -1, -1, 2)
    optimiser = torch.optim.Adam(head.parameters(), lr=1e-3)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        losses.append(head(features, text, mask).mean())
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.1 < losses[0]
