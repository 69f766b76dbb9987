from __future__ import annotations

import torch

from pipeline.networks import UNet, pin_statistics
from pipeline.workflows import MicrographStatistics, PromptedSlidingWindowInferer
from pipeline.workflows.scan_statistics import _spread

FEATURES = (4, 4, 4, 4, 4)


def micrographs(**sizes: tuple[int, int]) -> MicrographStatistics:
    """Two images for each named source."""
    generator = torch.Generator().manual_seed(0)
    items = [{"source": source} for source in sizes for _ in range(2)]
    images = [{"image": torch.randn(1, *sizes[item["source"]], generator=generator)} for item in items]
    return MicrographStatistics(items, images)


def network(norm: str = "instance") -> UNet:
    torch.manual_seed(0)
    return UNet(1, 1, FEATURES, norm).eval()


def test_every_source_has_its_network() -> None:
    statistics, plain = micrographs(a=(64, 48), b=(40, 64)), network()
    image = torch.randn(1, 1, 32, 32)
    of_a, of_b = (statistics.network_for(source, plain) for source in "ab")
    assert statistics.network_for("a", plain) is of_a
    with torch.no_grad():
        assert not torch.allclose(of_a(image), of_b(image))
        expected = pin_statistics(plain, **statistics._tiles("a"))(image)
        torch.testing.assert_close(of_a(image), expected, rtol=1e-4, atol=1e-5)


def test_changed_weights_have_other_statistics() -> None:
    statistics, plain = micrographs(a=(64, 64)), network()
    before = statistics.network_for("a", plain)
    with torch.no_grad():
        next(plain.parameters()).mul_(2)
    after = statistics.network_for("a", plain)
    assert after is not before
    tile = statistics._tiles("a")["image"]
    with torch.no_grad():
        torch.testing.assert_close(after(tile), pin_statistics(plain, tile)(tile), rtol=1e-4, atol=1e-5)


def test_few_networks_are_kept() -> None:
    sources = {f"s{i}": (32, 32) for i in range(20)}
    statistics, plain = micrographs(**sources), network()
    first = statistics.network_for("s0", plain)
    for source in sources:
        statistics.network_for(source, plain)
    assert len(statistics._pinned) < 20
    assert statistics.network_for("s0", plain) is not first


def test_tiles_come_from_every_image_of_the_source_and_have_one_size() -> None:
    items = [{"source": "a"}] * 4
    images = [
        {"image": torch.full((1, *size), float(i))}
        for i, size in enumerate([(700, 600), (70, 300), (500, 100), (300, 300)])
    ]
    tiles = MicrographStatistics(items, images)._tiles("a")["image"]
    # images that are smaller than a tile of the largest are left out: their size would make all tiles small
    assert tiles.shape[1:] == (1, 256, 256)
    assert tiles[:, 0, 0, 0].unique().tolist() == [0, 3]


def test_crops_cover_the_image_or_are_spread_over_it() -> None:
    image = torch.arange(398 * 343.0).view(1, 343, 398)
    crops = _spread(image, (256, 256), 16)
    assert len(torch.cat([crop.flatten() for crop in crops]).unique()) == image.numel()
    assert len(crops) == 4
    strip = torch.arange(25600 * 256.0).view(1, 25600, 256)
    starts = [int(crop[0, 0, 0]) // 256 for crop in _spread(strip, (256, 256), 16)]
    assert len(starts) == 16
    assert starts == sorted(starts)
    assert starts[-1] > 20000
    # several images, one crop of each: not always the same corner
    corners = {int(_spread(image, (256, 256), 1, start)[0][0, 0, 0]) for start in range(4)}
    assert len(corners) == 4


def test_the_inferer_takes_the_network_of_the_images_micrograph() -> None:
    statistics, plain = micrographs(a=(64, 64), b=(64, 64)), network()
    images = torch.randn(2, 1, 32, 32)
    inferer = PromptedSlidingWindowInferer(tile_size=32, statistics=statistics)
    with torch.no_grad():
        together = inferer(images, plain, source=["a", "b"])
        expected = [statistics.network_for(s, plain)(images[i : i + 1]) for i, s in enumerate("ab")]
    torch.testing.assert_close(together, torch.cat(expected), rtol=1e-4, atol=1e-5)
