from __future__ import annotations

import pytest
import torch

from pipeline.networks.kernels import scale_shift, scale_twice

LAYOUTS = (torch.contiguous_format, torch.channels_last)
#: of the largest value; half precision has 8 bits
ROUNDING = {torch.float64: 1e-15, torch.float32: 1e-6, torch.bfloat16: 2**-6, torch.float16: 2**-9}


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", list(ROUNDING))
@pytest.mark.parametrize("count", [1, 3])
def test_every_way_is_the_formula(count: int, dtype: torch.dtype, layout: torch.memory_format, grad: bool) -> None:
    features = torch.randn(count, 5, 6, 7, dtype=torch.float64)
    scale, shift = torch.randn(2, count, 5, 1, 1, dtype=torch.float64)
    factors = torch.randn(count, 1, 6, 7, dtype=torch.float64)
    given = features.to(dtype).to(memory_format=layout)
    kind = torch.float64 if dtype == torch.float64 else torch.float32
    before = given.clone()
    with torch.set_grad_enabled(grad):
        affine = scale_shift(given, scale.to(kind), shift.to(kind))
        product = scale_twice(given, scale.to(kind), factors.to(kind))
    assert given.equal(before)
    for found, expected in ((affine, features * scale + shift), (product, features * scale * factors)):
        assert found.dtype == dtype
        assert found.is_contiguous(memory_format=layout)
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=ROUNDING[dtype] * float(expected.abs().max()))


def test_gradients() -> None:
    values = [
        torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 3, 4, 4), *[(2, 3, 1, 1)] * 2)
    ]
    assert torch.autograd.gradcheck(scale_shift, values)
    factors = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(scale_twice, (*values[:2], factors))


def test_a_recorded_graph_holds_for_any_batch() -> None:
    class Part(torch.nn.Module):
        def forward(self, features: torch.Tensor, scale: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
            return scale_twice(scale_shift(features, scale, -scale), scale, factors)

    def inputs(count: int) -> tuple[torch.Tensor, ...]:
        return torch.randn(count, 3, 4, 4), torch.randn(count, 3, 1, 1), torch.randn(count, 1, 4, 4)

    with torch.no_grad():
        traced = torch.jit.trace(Part(), inputs(1), check_trace=False)
        for count in (1, 2):
            given = inputs(count)
            torch.testing.assert_close(traced(*given), Part()(*given))
