from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks.lscm import TokenCrossAttention


@pytest.mark.parametrize(("channels", "text_dim", "heads"), [(16, 12, 8), (16, 40, 8), (12, 5, 4), (3, 16, 1)])
def test_against_torchs_multi_head_attention(channels: int, text_dim: int, heads: int) -> None:
    torch.manual_seed(0)
    module = TokenCrossAttention(channels, text_dim)
    nn.init.normal_(module.attention.out_proj.weight)
    x, tokens = torch.randn(2, channels, 3, 5), torch.randn(2, 7, text_dim)

    reference = nn.MultiheadAttention(channels, heads, kdim=text_dim, vdim=text_dim, batch_first=True)
    ours = module.attention
    reference.load_state_dict(
        {
            "q_proj_weight": ours.to_q.weight,
            "k_proj_weight": ours.to_k.weight,
            "v_proj_weight": ours.to_v.weight,
            "in_proj_bias": torch.zeros(3 * channels),
            "out_proj.weight": ours.out_proj.weight,
            "out_proj.bias": ours.out_proj.bias,
        }
    )
    queries = F.layer_norm(x.flatten(2).transpose(1, 2), (channels,))
    keys = F.layer_norm(tokens, (text_dim,))
    read, _ = reference(queries, keys, keys)
    gate = torch.sigmoid(tokens.mean(1) @ module.to_gate.weight.T + module.to_gate.bias)
    expected = x + (read * gate.unsqueeze(1)).transpose(1, 2).reshape(x.shape)
    torch.testing.assert_close(module(x, tokens), expected, rtol=1e-4, atol=1e-5)


def test_a_pixel_reads_the_text_and_no_other_pixel() -> None:
    module = TokenCrossAttention(8, 12)
    x = torch.randn(1, 8, 4, 4, requires_grad=True)
    module(x, torch.randn(1, 5, 12))[0, :, 1, 2].sum().backward()
    assert (x.grad.abs().sum((0, 1)) > 0).nonzero().tolist() == [[1, 2]]


def test_order_of_the_tokens_does_not_matter() -> None:
    module, x, tokens = TokenCrossAttention(8, 12), torch.randn(1, 8, 4, 4), torch.randn(1, 5, 12)
    torch.testing.assert_close(module(x, tokens), module(x, tokens.flip(1)))
