from __future__ import annotations

import pytest
import torch

from pipeline.networks.learned_text import CONTEXT_LENGTH, LearnedText


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


def test_each_phase_has_a_vector_of_its_own_beside_the_shared_context() -> None:
    prior = LearnedText(12, phases=3)
    one_hot = torch.eye(3, 12)[[2, 0]]
    text, tokens = prior.text(one_hot, 2), prior.tokens(one_hot.unsqueeze(1), 2)
    mean = prior.context.mean(0)
    torch.testing.assert_close(text, torch.nn.functional.normalize(prior.own[[2, 0]] + mean, dim=-1))
    assert tokens.shape == (2, CONTEXT_LENGTH + 1, 12)
    assert torch.equal(tokens[:, -1], prior.own[[2, 0]])
    assert torch.equal(tokens[0, :-1], prior.context)


def test_given_nothing_all_phases_are_asked_for() -> None:
    prior, one_hot = LearnedText(12, phases=3), torch.eye(3, 12)
    torch.testing.assert_close(prior.text(None, 2), prior.text(one_hot.expand(2, 3, 12), 2))
    torch.testing.assert_close(prior.tokens(None, 2), prior.tokens(one_hot.unsqueeze(1).expand(2, 3, 1, 12), 2))


def test_more_phases_than_values_are_refused() -> None:
    with pytest.raises(ValueError, match="text of 12 values has no room for 13 phases"):
        LearnedText(12, phases=13)
