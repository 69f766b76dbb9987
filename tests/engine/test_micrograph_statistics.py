from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.engine import pinned_network as micrograph_statistics
from pipeline.engine.inferer import PromptedSlidingWindowInferer
from pipeline.engine.pinned_network import MicrographStatistics, network_for_tiles, pinned
from pipeline.networks import pin_statistics
from pipeline.networks.unet import UNet
from pipeline.text import TextFeatures

FEATURES = (4, 4, 4, 4, 4)


def micrographs(**sizes: tuple[int, int]) -> tuple[MicrographStatistics, dict[str, torch.Tensor]]:
    """Statistics of two images for each named source, each no larger than a tile, and the images (2, 1, H, W)."""
    generator = torch.Generator().manual_seed(0)
    images = {source: torch.randn(2, 1, *size, generator=generator) for source, size in sizes.items()}
    items = [{"source": source} for source in sizes for _ in range(2)]
    return MicrographStatistics(items, [{"image": image} for both in images.values() for image in both]), images


def network(norm: str = "instance") -> UNet:
    torch.manual_seed(0)
    return UNet(1, 1, FEATURES, norm).eval()


def tiles_of(*images: torch.Tensor) -> torch.Tensor:
    """What a network is shown for the statistics of a source of these images (C, H, W)."""
    plain, shown = network(), []
    plain.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    items = [{"source": "a"}] * len(images)
    MicrographStatistics(items, [{"image": image} for image in images]).network_for("a", plain)
    return shown[0]


def test_every_source_has_its_network() -> None:
    (statistics, images), plain = micrographs(a=(64, 48), b=(48, 64)), network()
    image = torch.randn(1, 1, 32, 32)
    of_a, of_b = (statistics.network_for(source, plain) for source in "ab")
    assert statistics.network_for("a", plain) is of_a
    with torch.no_grad():
        assert not torch.allclose(of_a(image), of_b(image))
        expected = pin_statistics(plain, images["a"])(image)
        torch.testing.assert_close(of_a(image), expected, rtol=1e-4, atol=1e-5)


def test_changed_weights_have_other_statistics() -> None:
    (statistics, images), plain = micrographs(a=(64, 64)), network()
    before = statistics.network_for("a", plain)
    with torch.no_grad():
        next(plain.parameters()).mul_(2)
    after = statistics.network_for("a", plain)
    assert after is not before
    tile = images["a"]
    with torch.no_grad():
        torch.testing.assert_close(after(tile), pin_statistics(plain, tile)(tile), rtol=1e-4, atol=1e-5)


def test_few_networks_are_kept() -> None:
    sources = {f"s{i}": (32, 32) for i in range(20)}
    (statistics, _), plain = micrographs(**sources), network()
    first = statistics.network_for("s0", plain)
    for source in sources:
        statistics.network_for(source, plain)
    assert statistics.network_for("s0", plain) is not first


def test_tiles_come_from_every_image_of_the_source_and_have_one_size() -> None:
    sizes = [(700, 600), (70, 300), (500, 100), (300, 300)]
    tiles = tiles_of(*(torch.full((1, *size), float(number)) for number, size in enumerate(sizes)))
    # images that are smaller than a tile of the largest are left out: their size would make all tiles small
    assert tiles.shape[1:] == (1, 256, 256)
    assert tiles[:, 0, 0, 0].unique().tolist() == [0, 3]


def test_crops_cover_the_image_or_are_spread_over_it() -> None:
    image = torch.arange(398 * 343.0).view(1, 343, 398)
    tiles = tiles_of(image)
    assert tiles.shape == (4, 1, 256, 256)
    assert len(tiles.unique()) == image.numel()
    strip = torch.arange(25600 * 256.0).view(1, 25600, 256)
    starts = [int(tile[0, 0, 0]) // 256 for tile in tiles_of(strip)]
    assert len(starts) == 16
    assert starts == sorted(starts)
    assert starts[-1] > 20000
    # several images, one crop of each: not always the same corner
    assert len(tiles_of(*[image] * 16)[:, 0, 0, 0].unique()) == 4


def test_the_inferer_takes_the_network_of_the_images_micrograph() -> None:
    (statistics, _), plain = micrographs(a=(64, 64), b=(64, 64)), network()
    images = torch.randn(2, 1, 32, 32)
    inferer = PromptedSlidingWindowInferer(tile_size=32, statistics=statistics)
    with torch.no_grad():
        together = inferer(images, plain, source=["a", "b"])
        expected = [statistics.network_for(s, plain)(images[i : i + 1]) for i, s in enumerate("ab")]
    torch.testing.assert_close(together, torch.cat(expected), rtol=1e-4, atol=1e-5)


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
    with torch.no_grad():
        assert not torch.equal(single(tiles), half(tiles))  # bfloat16 rounds what the statistics are taken over
        with torch.autocast("cpu", torch.bfloat16):
            expected = network_for_tiles(network_, tiles)
        assert torch.equal(half(tiles), expected(tiles))

    (statistics, images), image = micrographs(a=(64, 64)), torch.randn(1, 1, 64, 64)
    of_images = PromptedSlidingWindowInferer(64, precision="bfloat16", statistics=statistics)
    with torch.autocast("cpu", torch.bfloat16):
        expected = network_for_tiles(network_, images["a"])
        answer = expected(image).float()
    torch.testing.assert_close(of_images(image, network_, source=["a"]), answer, rtol=0, atol=1e-6)  # it blends


def test_statistics_that_a_gpu_has_no_room_for_are_taken_on_the_cpu(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    plain, tiles, devices = network(), torch.randn(2, 1, 32, 48), []
    expected = network_for_tiles(plain, tiles)

    def full(given: nn.Module, image: torch.Tensor, *text: object) -> nn.Module:
        devices.append(image.device.type)
        if image.device.type == "meta":  # stands for a GPU
            raise torch.OutOfMemoryError
        return pin_statistics(given, tiles)

    monkeypatch.setattr(micrograph_statistics, "pin_statistics", full)
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
