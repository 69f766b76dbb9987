from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.networks.lscm import GAMMA_LIMIT, HIDDEN, SemanticModulation


def modulation(renormalise: bool) -> SemanticModulation:
    torch.manual_seed(0)
    module = SemanticModulation(6, 12, renormalise).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


def film(module: SemanticModulation, features: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """FiLM as written in the paper, with this module's bound on gamma."""
    gamma, beta = (module.to_gamma_beta(text) / HIDDEN**0.5).chunk(2, dim=1)
    gamma = GAMMA_LIMIT * torch.tanh(gamma / GAMMA_LIMIT)
    return features * (1 + gamma[:, :, None, None]) + beta[:, :, None, None]


def renormalise(changed: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """The published re-normalisation, from measured statistics that count as constants."""
    mean = changed.mean((2, 3), keepdim=True).detach()
    ratio = (features.std((2, 3), keepdim=True) / changed.std((2, 3), keepdim=True)).detach()
    return (changed - mean) * ratio + mean


@pytest.mark.parametrize("with_renorm", [True, False])
def test_values_and_gradients_against_the_written_formula(with_renorm: bool) -> None:
    module = modulation(with_renorm)
    features = torch.randn(2, 6, 5, 7, dtype=torch.float64, requires_grad=True)
    text = torch.randn(2, 12, dtype=torch.float64, requires_grad=True)
    reference = film(module, features, text)
    if with_renorm:
        reference = renormalise(reference, features)
    ours = module(features, text)
    torch.testing.assert_close(ours, reference, rtol=0, atol=1e-12)

    weight = torch.randn(ours.shape, dtype=torch.float64)
    wrt = (features, text, *module.parameters())
    for got, expected in zip(
        torch.autograd.grad((ours * weight).sum(), wrt),
        torch.autograd.grad((reference * weight).sum(), wrt),
        strict=True,
    ):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-11)


def test_renormalised_keeps_the_spread_and_moves_the_mean() -> None:
    features = torch.randn(2, 6, 9, 9, dtype=torch.float64)
    output = modulation(True)(features, torch.randn(2, 12, dtype=torch.float64))
    torch.testing.assert_close(output.std((2, 3)), features.std((2, 3)), rtol=0, atol=1e-12)
    assert (output.mean((2, 3)) - features.mean((2, 3))).abs().max() > 0.1


def test_a_constant_channel_stays_finite() -> None:
    output = modulation(True)(torch.full((1, 6, 4, 4), 2.0, dtype=torch.float64), torch.randn(1, 12).double())
    assert output.isfinite().all()


@pytest.mark.parametrize("with_renorm", [True, False])
def test_starts_as_the_identity(with_renorm: bool) -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 6, 5, 7)
    output = SemanticModulation(6, 12, with_renorm)(features, nn.functional.normalize(torch.randn(2, 12), dim=-1))
    torch.testing.assert_close(output, features, rtol=0, atol=5e-3)
