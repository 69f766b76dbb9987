from __future__ import annotations

import itertools

import pytest

from pipeline.networks import VLSENet, parameter_count, parameters_of, preset_features
from pipeline.networks.factory import unet_of_equal_parameters
from pipeline.networks.unet import UNet


def unet_formula(widths: tuple[int, ...]) -> int:
    """Parameters of the U-Net by hand: 3 x 3 convolutions without bias, scale and shift of each norm."""

    def two_convolutions(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + 9 * outputs * outputs + 4 * outputs

    encoder = sum(two_convolutions(a, b) for a, b in itertools.pairwise((1, *widths)))
    decoder, deeper = 0, widths[-1]
    for level in (3, 2, 1, 0):
        # a 1 x 1 convolution with bias halves the upsampled features, but not at full resolution
        up = deeper // 2 if level else deeper
        decoder += (deeper * up + up if level else 0) + two_convolutions(widths[level] + up, widths[level])
        deeper = widths[level]
    return encoder + decoder + widths[0] + 1


@pytest.mark.parametrize("preset", ["small", "base", "large"])
def test_the_unet_comes_within_a_hundredth_of_vlsenet(preset: str) -> None:
    features = preset_features(preset)
    wanted = parameters_of(lambda: VLSENet(features=features, text_dim=256, learned_text=True))
    widths = unet_of_equal_parameters(wanted, features)
    assert all(width % 8 == 0 for width in widths)
    assert list(widths) == sorted(widths)
    assert parameters_of(lambda: UNet(features=widths)) == pytest.approx(wanted, rel=0.01)


def test_the_widths_of_a_unet_are_found_again() -> None:
    widths = (24, 48, 96, 192, 384)
    assert unet_of_equal_parameters(parameter_count(UNet(features=widths)), (16, 32, 64, 128, 256)) == widths


@pytest.mark.parametrize("widths", [(16, 32, 64, 128, 256), (24, 48, 104, 184, 368)])
def test_parameters_are_counted_as_by_hand(widths: tuple[int, ...]) -> None:
    assert parameters_of(lambda: UNet(features=widths)) == unet_formula(widths)
    network = UNet(features=widths, norm="batch")  # whose running statistics are no parameters
    assert parameter_count(network) == unet_formula(widths)


def test_a_tiny_number_gives_the_smallest_widths() -> None:
    assert unet_of_equal_parameters(1, (16, 32, 64, 128, 256)) == (8,) * 5
