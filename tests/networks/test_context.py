from __future__ import annotations

import torch

from pipeline.networks.context import ContextBlock


def test_reaches_as_far_as_its_largest_dilation() -> None:
    torch.manual_seed(0)
    block = ContextBlock(8, "batch").eval()
    x = torch.randn(1, 8, 15, 15, requires_grad=True)
    block(x)[0, :, 7, 7].sum().backward()
    touched = x.grad.abs().sum((0, 1)) > 0
    rows, columns = touched.nonzero(as_tuple=True)
    # dilations 1, 2, 3: the centre and eight points on each of three squares
    assert touched.sum() == 1 + 3 * 8
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 10, 4, 10)


def test_correction_starts_at_the_published_share() -> None:
    block = ContextBlock(8, "batch").eval()
    x, corrections = torch.randn(2, 8, 6, 6), []
    block.fuse.register_forward_hook(lambda module, inputs, output: corrections.append(output))
    share = 0.15 / (1 + torch.tensor(2.2).exp())
    torch.testing.assert_close(block(x) - x, share * corrections[0], rtol=1e-4, atol=1e-6)
