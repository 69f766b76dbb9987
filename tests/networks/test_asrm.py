from __future__ import annotations

import pytest
import torch

from pipeline.networks.asrm import ASRM


def test_correction_starts_at_the_published_share() -> None:
    block = ASRM(16, "batch").eval()
    x = torch.randn(2, 16, 8, 8)
    corrections = []
    block.fuse.register_forward_hook(lambda module, inputs, output: corrections.append(output))
    expected_share = 0.30 / (1 + torch.tensor(2.0).exp())
    torch.testing.assert_close(block(x) - x, expected_share * corrections[0], rtol=1e-4, atol=1e-6)


def test_blends_its_branches_by_a_softmax_at_every_pixel() -> None:
    torch.manual_seed(0)
    block = ASRM(16, "batch").eval()
    seen = {}
    block.gate.register_forward_hook(lambda module, inputs, output: seen.update(cat=inputs[0], logits=output))
    block.fuse.register_forward_pre_hook(lambda module, inputs: seen.update(blend=inputs[0]))
    block(torch.randn(2, 16, 7, 9))
    weights = torch.exp(seen["logits"]) / torch.exp(seen["logits"]).sum(1, keepdim=True)
    expected = torch.einsum("nbhw,nbchw->nchw", weights, seen["cat"].unflatten(1, (3, 16)))
    torch.testing.assert_close(seen["blend"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("horizontal", "vertical", "branches"), [(True, True, 3), (False, True, 2), (False, False, 1)])
def test_branches(horizontal: bool, vertical: bool, branches: int) -> None:
    block = ASRM(16, "group", horizontal, vertical)
    assert len(block.branches) == branches
    assert (block.gate is None) == (branches == 1)
    assert block(torch.randn(1, 16, 3, 5)).shape == (1, 16, 3, 5)


def test_few_channels_with_group_norm() -> None:
    assert ASRM(3, "group")(torch.randn(1, 3, 4, 4)).shape == (1, 3, 4, 4)


def test_exports_with_free_batch_and_size() -> None:
    block, free = ASRM(8, "instance").eval(), torch.export.Dim.AUTO
    shapes = ({0: free, 2: free, 3: free},)
    exported = torch.export.export(block, (torch.randn(2, 8, 12, 14),), dynamic_shapes=shapes).module()
    for size in ((3, 8, 9, 21), (1, 8, 1, 2)):
        x = torch.randn(size)
        with torch.no_grad():
            torch.testing.assert_close(exported(x), block(x), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_compiled_it_gives_the_same_values_and_gradients() -> None:
    torch.manual_seed(0)
    block, x = ASRM(8, "instance"), torch.randn(2, 8, 12, 14, requires_grad=True)
    expected = block(x)
    (expected_gradient,) = torch.autograd.grad(expected.square().sum(), x)
    compiled = torch.compile(block)(x)
    (gradient,) = torch.autograd.grad(compiled.square().sum(), x)
    torch.testing.assert_close(compiled, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-5)
