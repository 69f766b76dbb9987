from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from pipeline.networks.blocks import SpatialMean
from pipeline.networks.inference import inference_form
from pipeline.networks.pinning import pin_statistics, pinned_with_answer, reads_tile
from pipeline.networks.unet import DecoderStage, UNet
from tests.networks.cases import CASES, TEXT_DIM, batch, build

HALO = 256  # beyond the receptive field
SHIFT = 16  # the poolings' grid: tiles at other places see other blocks of pixels


@pytest.mark.parametrize("case", CASES)
def test_pinned_on_one_tile_the_answer_on_it_is_the_same(case: str) -> None:
    network, inputs = build(case).eval(), batch(1, 1, 48, 64)
    pinned, answer = pinned_with_answer(network, inputs["image"], inputs["text"], inputs["tokens"])
    assert not reads_tile(pinned)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = module.running_var = None  # then it takes the tile's own, too
    with torch.no_grad():
        torch.testing.assert_close(pinned(**inputs), network(**inputs), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(pinned(**inputs), answer, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", ["instance", "group"])
@pytest.mark.parametrize("name", ["unet", "vlsenet"])
def test_the_same_pixel_gets_the_same_answer_in_another_tile(name: str, norm: str) -> None:
    torch.manual_seed(0)
    network = CASES[f"{name}-{norm}"](1, 1).double().eval()
    text, tokens = torch.randn(1, TEXT_DIM).double(), torch.randn(1, 4, TEXT_DIM).double()
    scan = torch.randn(1, 1, 48, 2 * HALO + 48).double()
    scan *= torch.linspace(0.2, 3, scan.shape[-1])  # another contrast in every tile
    left, right = scan[..., :-SHIFT], scan[..., SHIFT:]

    def differ(network: nn.Module) -> float:
        with torch.no_grad():
            a, b = (network(tile, text, tokens).sigmoid()[..., HALO:-HALO] for tile in (left, right))
        return float((a[..., SHIFT:] - b[..., :-SHIFT]).abs().max())

    assert differ(network) > 1e-4
    assert differ(pin_statistics(network, left, text, tokens)) < 1e-9


def test_statistics_are_those_of_the_whole_batch() -> None:
    torch.manual_seed(0)
    tiles = torch.randn(5, 6, 8, 8) * torch.arange(1.0, 6).view(5, 1, 1, 1) + 3
    instance = nn.Sequential(nn.InstanceNorm2d(6, affine=True))
    nn.init.uniform_(instance[0].weight), nn.init.uniform_(instance[0].bias)
    pinned = pin_statistics(OneInput(instance), tiles)
    # batch norm that trains takes the same statistics
    expected = nn.functional.batch_norm(tiles, None, None, instance[0].weight, instance[0].bias, training=True)
    torch.testing.assert_close(pinned(tiles), expected, rtol=1e-5, atol=1e-5)

    batch_norm = nn.Sequential(nn.BatchNorm2d(6))
    pinned = pin_statistics(OneInput(batch_norm), tiles)
    expected = nn.functional.batch_norm(tiles, None, None, training=True)
    torch.testing.assert_close(pinned(tiles), expected, rtol=1e-5, atol=1e-5)

    group = nn.Sequential(nn.GroupNorm(2, 6))
    pinned = pin_statistics(OneInput(group), tiles)
    halves = tiles.view(5, 2, -1).transpose(0, 1).reshape(2, -1)
    halves = (halves - halves.mean(1, keepdim=True)) / (halves.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    expected = halves.view(2, 5, -1).transpose(0, 1).reshape(tiles.shape)
    torch.testing.assert_close(pinned(tiles), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("groups", [6, 2])
def test_statistics_are_exact_and_the_same_for_any_number_of_threads(
    groups: int, memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    tiles = (torch.randn(4, 6, 128, 128) + 50).to(memory_format=memory_format)  # far from 0, where sums of squares fail
    together = tiles.double().unflatten(1, (groups, -1))
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            norm = pin_statistics(OneInput(nn.Sequential(nn.GroupNorm(groups, 6))), tiles).layer[0]
            found.append((norm.running_mean, norm.running_var))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for pair in found for one, other in zip(pair, found[0], strict=True))
    expected = together.mean((0, 2, 3, 4)), together.var((0, 2, 3, 4), correction=0)
    for one, exact in zip(found[0], expected, strict=True):
        torch.testing.assert_close(one.double(), exact.repeat_interleave(6 // groups), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("layer", [nn.InstanceNorm2d(6, affine=True), nn.InstanceNorm2d(6), SpatialMean()], ids=str)
def test_statistics_of_half_precision_features_are_single(layer: nn.Module, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    tiles = (torch.randn(3, 6, 64, 64) + 5).to(dtype)
    pinned = pin_statistics(OneInput(nn.Sequential(layer)), tiles).layer[0]
    exact = tiles.double()
    if isinstance(layer, SpatialMean):
        found = [(pinned.mean, exact.mean((0, 2, 3)))]
    else:
        found = [
            (pinned.running_mean, exact.mean((0, 2, 3))),
            (pinned.running_var, exact.var((0, 2, 3), correction=0)),
        ]
    for value, expected in found:
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=0)


def test_the_network_itself_stays_as_it_is() -> None:
    network, inputs = build("vlsenet-instance"), batch()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    pin_statistics(network, inputs["image"], inputs["text"], inputs["tokens"])
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert network.training


class OneInput(nn.Module):
    """A layer behind the networks' interface."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, image: torch.Tensor, text: torch.Tensor | None = None, tokens: torch.Tensor | None = None
    ) -> torch.Tensor:
        output: torch.Tensor = self.layer(image)
        return output


def test_a_pinned_network_is_not_pinned_again() -> None:
    inputs = batch(1, 1, 48, 64)
    pinned = pin_statistics(build("unet-instance"), inputs["image"])
    with pytest.raises(ValueError, match="pin the network that it was made of"):
        pin_statistics(pinned, inputs["image"])


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("vlsenet")])
def test_each_phrase_is_pinned_as_it_is_alone(case: str) -> None:
    network, inputs = build(case, phases=3).eval(), batch(3, phases=3)
    image, text, tokens = inputs["image"], inputs["text"], inputs["tokens"]
    pinned, answer = pinned_with_answer(network, image, text, tokens)
    alone = [pinned_with_answer(network, image, text[:, k], tokens[:, k]) for k in range(3)]
    close = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5)
    close(answer, torch.cat([logits for _, logits in alone], dim=1))
    fast = inference_form(pinned)
    assert not any(isinstance(module, DecoderStage) for module in fast.modules())
    with torch.no_grad():
        for phrases, phrase in ((pinned, lambda k: alone[k][0]), (fast, lambda k: inference_form(alone[k][0]))):
            expected = [phrase(k)(image, text[:, k], tokens[:, k]) for k in range(3)]
            close(phrases(image, text, tokens), torch.cat(expected, dim=1))


def test_the_encoder_is_pinned_once_and_weighs_once() -> None:
    network, inputs = build("vlsenet-as-trained", phases=3), batch(phases=3)
    passes: list[int] = []
    network.conv_0.register_forward_hook(lambda *_: passes.append(1))  # copies of the network have it too
    pinned = pin_statistics(network, inputs["image"], inputs["text"], inputs["tokens"])
    assert len(passes) == 1
    pinned(inputs["image"], inputs["text"], inputs["tokens"])
    assert len(passes) == 2
    own = {id(parameter) for parameter in network.parameters()}
    assert {id(parameter) for parameter in pinned.parameters()} <= own
    with pytest.raises(ValueError, match="pin the network that it was made of"):
        pin_statistics(pinned, inputs["image"], inputs["text"], inputs["tokens"])


def test_a_unet_for_several_phases_is_pinned_in_one_pass() -> None:
    network, inputs = build("unet-instance", phases=3), batch(phases=3)
    pinned = pin_statistics(network, inputs["image"], inputs["text"], inputs["tokens"])
    assert isinstance(pinned, UNet)
    with torch.no_grad():
        assert pinned(inputs["image"], inputs["text"], inputs["tokens"]).shape == (2, 3, 48, 32)
