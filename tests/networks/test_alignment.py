from __future__ import annotations

import numpy as np
import torch

from pipeline.networks.lscm import RegionAlignment, pool_region


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
