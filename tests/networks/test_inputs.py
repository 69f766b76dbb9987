from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.networks.inputs import check_text, crop_to, pad_to_stride


@pytest.mark.parametrize(("side", "padded"), [(16, 32), (31, 32), (32, 32), (33, 48), (67, 80)])
def test_padded_sides(side: int, padded: int) -> None:
    assert pad_to_stride(torch.rand(1, 1, side, 64)).shape == (1, 1, padded, 64)


def test_pads_below_and_right_as_numpy_does() -> None:
    x = torch.rand(1, 2, 33, 50)
    widths = ((0, 0), (0, 0), (0, 15), (0, 14))
    np.testing.assert_array_equal(pad_to_stride(x).numpy(), np.pad(x.numpy(), widths, mode="edge"))
    np.testing.assert_array_equal(pad_to_stride(x, "constant").numpy(), np.pad(x.numpy(), widths))


@pytest.mark.parametrize("size", [(16, 16), (33, 50), (64, 48)])
def test_cropping_undoes_the_padding(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    assert torch.equal(crop_to(pad_to_stride(x), x), x)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.uint8])
def test_text_features_are_real_numbers(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match=f"`text` must hold real numbers, not {dtype}"):
        check_text("text", torch.ones(1, 4, dtype=dtype), 2, 1, 4)
