from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from pipeline.networks.skip_gate import SkipGate


def test_formula_with_the_decoder_feature_upsampled_first() -> None:
    torch.manual_seed(0)
    gate = SkipGate(4, 6).double()
    with torch.no_grad():
        gate.channel_strength.fill_(0.7)
        gate.spatial_strength.fill_(-0.4)
        skip = torch.randn(2, 4, 6, 8, dtype=torch.float64)
        decoder = torch.randn(2, 6, 3, 4, dtype=torch.float64)
        got = gate(skip, decoder).numpy()

    first, _, second = gate.to_channel_delta
    pooled = np.concatenate([decoder.numpy().mean((2, 3)), skip.numpy().mean((2, 3))], axis=1)
    hidden = np.maximum(pooled @ first.weight.detach().numpy().T + first.bias.detach().numpy(), 0)
    channel = np.tanh(hidden @ second.weight.detach().numpy().T + second.bias.detach().numpy())

    fine = F.interpolate(decoder, scale_factor=2, mode="bilinear", align_corners=False).numpy()
    kernel = np.concatenate(
        [gate.decoder_to_spatial.weight.detach().numpy(), gate.skip_to_spatial.weight.detach().numpy()], axis=1
    )[0, :, 0, 0]
    both = np.concatenate([fine, skip.numpy()], axis=1)
    spatial = np.tanh(np.einsum("c,nchw->nhw", kernel, both) + gate.skip_to_spatial.bias.item())

    expected = skip.numpy() * (1 + np.tanh(0.7) * channel)[:, :, None, None]
    expected = expected * (1 + np.tanh(-0.4) * spatial)[:, None]
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


def test_starts_as_the_identity_within_two_percent() -> None:
    gate, skip = SkipGate(4, 6), torch.randn(1, 4, 8, 8)
    ratio = gate(skip, torch.randn(1, 6, 4, 4)) / skip
    assert (ratio - 1).abs().max() < 0.0202


def test_hidden_units_start_above_zero() -> None:
    """Or a gate of eight may have none that does, and no gradient."""
    alive = []
    for seed in range(100):
        torch.manual_seed(seed)
        averages = 0.36 + 0.05 * torch.randn(2, 48)  # of what LeakyReLU leaves of a normalised map
        alive.append(SkipGate(16, 32).to_channel_delta[:2](averages) > 0)
    assert torch.stack(alive).float().mean() > 0.97
