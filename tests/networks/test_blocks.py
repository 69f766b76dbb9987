from __future__ import annotations

import pytest
import torch
from monai.networks.layers.utils import get_norm_layer

from pipeline.networks.blocks import ControlledResidual, norm_spec


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 12, 16, 40])
def test_group_norm_fits_any_width(channels: int) -> None:
    layer = get_norm_layer(norm_spec("group", channels), 2, channels)
    assert channels % layer.num_groups == 0
    assert layer(torch.rand(2, channels, 3, 3)).shape == (2, channels, 3, 3)


def test_group_count_divides_all_widths() -> None:
    assert norm_spec("group", 16, 12, 64) == ("group", {"num_groups": 4})


def test_controlled_residual_never_exceeds_its_limit() -> None:
    block = ControlledResidual(2, limit=0.3, start=100.0)
    x, z = torch.randn(1, 2, 4, 4), torch.randn(1, 2, 4, 4)
    torch.testing.assert_close(block(x, z), x + 0.3 * z)
