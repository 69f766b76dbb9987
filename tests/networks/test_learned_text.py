from __future__ import annotations

import torch

from pipeline.networks.lscm import CONTEXT_LENGTH, LearnedText


def test_global_feature_has_unit_length_given_or_not() -> None:
    prior = LearnedText(12)
    for given in (None, torch.randn(3, 12), torch.zeros(3, 12)):
        torch.testing.assert_close(prior.text(given, 3).norm(dim=1), torch.ones(3))


def test_zero_text_means_the_learned_text_alone() -> None:
    prior = LearnedText(12)
    torch.testing.assert_close(prior.text(torch.zeros(2, 12), 2), prior.text(None, 2))


def test_context_stands_ahead_of_the_given_tokens() -> None:
    prior, given = LearnedText(12), torch.randn(2, 5, 12)
    tokens = prior.tokens(given, 2)
    assert tokens.shape == (2, CONTEXT_LENGTH + 5, 12)
    assert torch.equal(tokens[:, CONTEXT_LENGTH:], given)
    assert torch.equal(tokens[:, :CONTEXT_LENGTH], prior.tokens(None, 2))


def test_context_vectors_are_about_as_long_as_encoded_tokens() -> None:
    torch.manual_seed(0)
    assert abs(LearnedText(1024).context.norm(dim=1).mean().item() - 1) < 0.05


def test_given_features_of_another_precision_are_taken() -> None:
    learned = LearnedText(8)
    assert learned.text(torch.ones(2, 8, dtype=torch.float64), 2).dtype == torch.float32
    assert learned.tokens(torch.ones(2, 3, 8, dtype=torch.float64), 2).dtype == torch.float32
