from __future__ import annotations

import pytest
import torch
from monai.networks.nets.basic_unet import UpCat

from pipeline.memory import peak_bytes
from pipeline.networks.blocks import ACTIVATION
from pipeline.networks.inference import LowResolutionStage
from pipeline.networks.unet import DecoderStage

SKIP, COARSE, OUT = 3, 6, 4


def stage(halves: bool) -> DecoderStage:
    """With a 1x1 convolution ahead of the upsampling, or without."""
    torch.manual_seed(0)
    layers = UpCat(
        2, COARSE, SKIP, OUT, act=ACTIVATION, norm=None, bias=True, dropout=0.0, upsample="nontrainable", halves=halves
    )
    layers.upsample.get_submodule("upsample_non_trainable").align_corners = False
    return DecoderStage(layers, SKIP).double().eval()


def maps(height: int, width: int, count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    coarse = torch.randn(count, COARSE, height, width, dtype=torch.float64)
    return coarse, torch.randn(count, SKIP, 2 * height, 2 * width, dtype=torch.float64)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 3), (3, 3), (7, 5)])
def test_the_same_function(size: tuple[int, int], halves: bool, layout: torch.memory_format) -> None:
    plain = stage(halves)
    coarse, skip = (tensor.to(memory_format=layout) for tensor in maps(*size))
    before = coarse.clone(), skip.clone()
    with torch.no_grad():
        found = LowResolutionStage(plain)(coarse, skip)
        torch.testing.assert_close(found, plain(coarse, skip), rtol=0, atol=1e-13)
    assert coarse.equal(before[0])
    assert skip.equal(before[1])


def test_neither_the_upsampled_map_nor_its_concatenation_is_made() -> None:
    plain = stage(halves=False).float()
    inputs = [tensor.float().to(memory_format=torch.channels_last) for tensor in maps(64, 64)]
    map_of_one_channel = 2 * 128 * 128 * 4
    assert peak_bytes(lambda: plain(*inputs)) >= (COARSE + SKIP + COARSE) * map_of_one_channel
    # that the stage reads its inputs in parts counts too
    assert (
        peak_bytes(lambda: LowResolutionStage(plain)(*inputs)) < (COARSE // 4 + SKIP + 2.5 * OUT) * map_of_one_channel
    )
