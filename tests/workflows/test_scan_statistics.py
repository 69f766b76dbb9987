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
    items = [{"source": "a"}] * 3
    images = [{"image": torch.full((1, *size), float(i))} for i, size in enumerate([(700, 600), (70, 300), (500, 100)])]
    tiles = MicrographStatistics(items, images)._tiles("a")["image"]
    assert tiles.shape[1:] == (1, 64, 96)
    assert tiles[:, 0, 0, 0].unique().tolist() == [0, 1, 2]


def test_crops_lie_apart_and_inside() -> None:
    image = torch.arange(100 * 210.0).view(1, 100, 210)
    crops = _spread(image, (32, 48), 16)
    assert 8 <= len(crops) <= 16
    values = torch.cat([crop.flatten() for crop in crops])
    assert all(crop.shape == (1, 32, 48) for crop in crops)
    assert len(values.unique()) == len(values)
    assert len(_spread(image, (96, 208), 16)) == 1


def test_the_inferer_takes_the_network_of_the_images_micrograph() -> None:
    statistics, plain = micrographs(a=(64, 64), b=(64, 64)), network()
    images = torch.randn(2, 1, 32, 32)
    inferer = PromptedSlidingWindowInferer(tile_size=32, statistics=statistics)
    with torch.no_grad():
        together = inferer(images, plain, source=["a", "b"])
        expected = [statistics.network_for(s, plain)(images[i : i + 1]) for i, s in enumerate("ab")]
    torch.testing.assert_close(together, torch.cat(expected), rtol=1e-4, atol=1e-5)
