from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.engine import pinned_network
from pipeline.engine.pinned_network import NetworkForImage, network_for_tiles, pinned, prompted
from pipeline.networks import VLSENet, pinned_with_answer
from pipeline.networks.unet import UNet
from pipeline.text import TextFeatures

FEATURES = (4, 4, 4, 4, 4)


def network(norm: str = "instance") -> UNet:
    torch.manual_seed(0)
    return UNet(1, 1, FEATURES, norm).eval()


@pytest.mark.parametrize("channels", [1, 3])
def test_convolutions_get_images_in_channels_last_order(channels: int) -> None:
    torch.manual_seed(0)
    plain, image = UNet(channels, 1, FEATURES, "instance").eval(), torch.randn(2, channels, 32, 48)
    strides: list[tuple[int, ...]] = []
    first = next(module for module in plain.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda _, __, output: strides.append(output.stride()))
    network_for_tiles(plain, image)
    assert strides[0] == (32 * 48 * FEATURES[0], 1, 48 * FEATURES[0], FEATURES[0])


def test_statistics_are_taken_in_the_precision_of_the_run() -> None:
    network_, features = network(), TextFeatures(torch.zeros(1, 4), torch.zeros(1, 2, 4))
    tiles = torch.randn(4, 1, 32, 32)
    single, half = (pinned(network_, tiles, features, precision) for precision in ("float32", "bfloat16"))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal(single(tiles), half(tiles))  # bfloat16 rounds what the statistics are taken over
        assert torch.equal(half(tiles), network_for_tiles(network_, tiles)(tiles))


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("size", [(48, 64), (37, 51)])
def test_a_network_for_an_image_answers_as_the_one_for_its_only_tile(size: tuple[int, int], norm: str) -> None:
    plain, image = network(norm), torch.randn(1, 1, *size)
    whole, tiles = NetworkForImage(plain, image), network_for_tiles(plain, image)
    with torch.no_grad():
        for windows in (image, image[..., :32, :48], image.expand(3, -1, -1, -1), image + 1):
            torch.testing.assert_close(whole(windows), tiles(windows), rtol=1e-4, atol=1e-5)


def test_an_image_that_is_a_window_of_its_own_passes_once() -> None:
    class Counted(UNet):
        passes = 0

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            Counted.passes += 1
            return super().forward(*inputs)

    image = torch.randn(1, 1, 37, 51)
    whole = NetworkForImage(Counted(1, 1, FEATURES, "instance"), image)
    whole(image.clone())
    assert Counted.passes == 1
    whole(image[..., 1:])
    assert Counted.passes == 2


def test_a_fault_in_the_fast_form_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> nn.Module:
        raise AttributeError("a fault inside")

    whole = NetworkForImage(network("instance"), torch.randn(1, 1, 37, 51))
    monkeypatch.setattr(pinned_network, "inference_form", fails)
    with pytest.raises(AttributeError, match="a fault inside"):
        whole(torch.randn(1, 1, 32, 32))


def test_mirroring_gives_an_answer_that_mirrors_with_the_image() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 1, 5, padding=2)  # not symmetric

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = convolution

        def forward(self, windows: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            return self.convolution(windows)

    features, image = TextFeatures(torch.zeros(4), torch.zeros(2, 4)), torch.rand(2, 1, 64, 48)
    once, mirrored = (prompted(Plain(), features, "float32", mirror) for mirror in (False, True))
    with torch.no_grad():
        answer = mirrored(image)
        torch.testing.assert_close(mirrored(image.flip(3)), answer.flip(3), rtol=1e-4, atol=1e-5)
        every = [convolution(image.flip(axes)).flip(axes) for axes in ((), (2,), (3,), (2, 3))]
        torch.testing.assert_close(once(image), every[0])
    torch.testing.assert_close(answer, sum(every) / 4, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(every[0], answer)


@pytest.mark.parametrize("side", [70, 96])
def test_a_mirrored_window_pools_the_same_blocks(side: int) -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, windows: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            return self.scale * nn.functional.interpolate(nn.functional.avg_pool2d(windows, 16), scale_factor=16)

    features, image = TextFeatures(torch.zeros(4), torch.zeros(2, 4)), torch.rand(1, 1, side, side)
    with torch.no_grad():
        answer = prompted(Pooled(), features, "float32", mirror=True)(image)
        whole = nn.functional.avg_pool2d(image[..., :64, :64], 16)
    torch.testing.assert_close(answer[..., 8:64:16, 8:64:16], whole)


def test_statistics_that_a_gpu_has_no_room_for_are_taken_on_the_cpu(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    plain, tiles, devices = network(), torch.randn(2, 1, 32, 48), []
    expected = network_for_tiles(plain, tiles)

    def full(given: nn.Module, image: torch.Tensor, *text: object) -> tuple[nn.Module, torch.Tensor]:
        devices.append(image.device.type)
        if image.device.type == "meta":  # stands for a GPU
            raise torch.OutOfMemoryError
        return pinned_with_answer(given, tiles)

    monkeypatch.setattr(pinned_network, "pinned_with_answer", full)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: tiles if tensor.is_meta else tensor)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda kind: torch.bfloat16)
    moved = []
    monkeypatch.setattr(nn.Module, "to", lambda module, *place, **layout: moved.extend(place) or module)
    found = network_for_tiles(plain, tiles.to("meta"))
    assert devices == ["meta", "cpu"]
    assert [place for place in moved if isinstance(place, torch.device)] == [
        torch.device("meta")
    ] * 2  # the network that was given, and the pinned one
    assert "they are computed on the CPU" in caplog.text
    with torch.no_grad():
        torch.testing.assert_close(found(tiles), expected(tiles), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("statistics", ["micrograph", "network"])
def test_each_phrase_is_answered_as_it_is_alone(statistics: str, mirror: bool) -> None:
    torch.manual_seed(0)
    network_ = VLSENet(1, 3, FEATURES, 8).eval()
    several = TextFeatures(torch.randn(3, 8), torch.randn(3, 2, 8))
    tiles, windows = torch.randn(4, 1, 64, 64), torch.randn(2, 1, 50, 70)

    def answer(features: TextFeatures) -> torch.Tensor:
        runs = pinned(network_, tiles, features, "float32") if statistics == "micrograph" else network_
        with torch.no_grad():
            return prompted(runs, features, "float32", mirror)(windows)

    together = answer(several)
    assert together.shape == (2, 3, 50, 70)
    alone = [answer(TextFeatures(several.text[k], several.tokens[k])) for k in range(3)]
    torch.testing.assert_close(together, torch.cat(alone, dim=1), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(alone[0], alone[1])


def test_a_network_for_an_image_answers_all_phrases() -> None:
    torch.manual_seed(0)
    network_, image = VLSENet(1, 3, FEATURES, 8).eval(), torch.randn(1, 1, 40, 56)
    features = TextFeatures(torch.randn(3, 8), torch.randn(3, 2, 8))
    whole, tiles = (pinned(network_, image, features, "float32", is_image) for is_image in (True, False))
    with torch.no_grad():
        for windows in (image, image[..., 8:]):
            one, other = (prompted(runs, features, "float32")(windows) for runs in (whole, tiles))
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
