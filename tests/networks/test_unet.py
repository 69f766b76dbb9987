from __future__ import annotations

import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import nn

from pipeline.networks.blocks import ACTIVATION
from pipeline.networks.unet import UNet
from tests.networks.cases import FEATURES


def test_is_monais_basic_unet_where_nothing_needs_padding() -> None:
    torch.manual_seed(0)
    ours = UNet(1, 1, FEATURES, norm="batch").eval()
    theirs = BasicUNet(
        2, 1, 1, (*FEATURES, FEATURES[0]), act=ACTIVATION, norm="batch", bias=False, upsample="nontrainable"
    ).eval()
    theirs.load_state_dict(ours.state_dict())
    for module in theirs.modules():
        if isinstance(module, nn.Upsample):
            module.align_corners = False
    image = torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        assert torch.equal(ours(image), theirs(image))


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_a_pixel_has_the_same_answer_in_another_tile_only_with_batch_norm(norm: str) -> None:
    torch.manual_seed(0)
    network = UNet(1, 1, (2, 2, 4, 4, 8), norm=norm).double().eval()
    scan = torch.rand(1, 1, 352, 352, dtype=torch.float64)
    with torch.no_grad():
        one, other = network(scan[..., :320, :]), network(scan[..., 32:, :])
    # rows 160 to 191 of the scan are at least 128 pixels from every edge of both tiles, beyond the network's reach
    difference = (one[..., 160:192, 160:192] - other[..., 128:160, 160:192]).abs().max()
    assert (difference < 1e-12) == (norm == "batch")


def test_five_widths_are_needed() -> None:
    with pytest.raises(ValueError, match="five widths"):
        UNet(features=(8, 16, 32))


def test_unknown_norm() -> None:
    with pytest.raises(ValueError, match="batch, instance, group"):
        UNet(features=FEATURES, norm="layer")
