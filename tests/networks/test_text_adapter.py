from __future__ import annotations

import torch
from torch import nn

from pipeline.networks.lscm import TextAdapter


def test_formula() -> None:
    torch.manual_seed(0)
    adapter = TextAdapter(8, 12, "group")
    nn.init.normal_(adapter.to_gamma_beta.weight)
    x, text = torch.randn(2, 8, 5, 7), torch.randn(2, 12)
    first, second = (block.conv.weight for block in adapter.h)
    norm = adapter.h[0].adn.N
    hidden = torch.einsum("oc,nchw->nohw", first[..., 0, 0], x)
    hidden = nn.functional.group_norm(hidden, norm.num_groups, norm.weight, norm.bias)
    hidden = 0.5 * hidden * (1 + torch.erf(hidden / 2**0.5))
    h = torch.einsum("oc,nchw->nohw", second[..., 0, 0], hidden)
    gamma, beta = (part[..., None, None] for part in (text @ adapter.to_gamma_beta.weight.T).split(8, dim=1))
    torch.testing.assert_close(adapter(x, text), x + 0.1 * (h * (1 + gamma) + beta), rtol=1e-4, atol=1e-5)
