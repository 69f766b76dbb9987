from __future__ import annotations

import itertools

import pytest
import torch

from pipeline.engine.inferer import PromptedSlidingWindowInferer


def pointwise(image: torch.Tensor, text: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """A network without a receptive field: tiled and whole must agree, and each image must meet its own text."""
    assert len(image) == len(text) == len(tokens)
    return image * text[:, :1, None, None] + tokens.sum((1, 2))[:, None, None, None]


@pytest.mark.parametrize("tile_batch", [1, 3, 4])
@pytest.mark.parametrize("images", [1, 3, 4])
def test_every_window_meets_the_text_of_its_image(tile_batch, images):
    torch.manual_seed(0)
    batch, text, tokens = torch.rand(images, 1, 75, 50), torch.rand(images, 6), torch.rand(images, 4, 6)
    inferer = PromptedSlidingWindowInferer(tile_size=32, overlap=0.25, batch_size=tile_batch)
    out = inferer(batch, pointwise, text=text, tokens=tokens)
    torch.testing.assert_close(out, pointwise(batch, text, tokens), rtol=1e-5, atol=1e-5)


def test_a_small_image_is_not_padded_to_the_tile():
    sizes = []

    def network(image, **_):
        sizes.append(tuple(image.shape[2:]))
        return image

    PromptedSlidingWindowInferer(tile_size=512)(torch.rand(1, 1, 343, 398), network)
    assert sizes == [(352, 400)]


def test_mirroring_gives_an_answer_that_mirrors_with_the_image():
    torch.manual_seed(0)
    network = torch.nn.Conv2d(1, 1, 5, padding=2)  # not symmetric
    image = torch.rand(1, 1, 64, 48)
    inferer = PromptedSlidingWindowInferer(tile_size=64, mirror=True)
    with torch.no_grad():
        out = inferer(image, network)
        torch.testing.assert_close(inferer(image.flip(3), network), out.flip(3), rtol=1e-4, atol=1e-5)
        every = [network(image.flip(axes)).flip(axes) for axes in ((), (2,), (3,), (2, 3))]
    torch.testing.assert_close(out, sum(every) / 4, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(every[0], out)


@pytest.mark.parametrize("overlap", [0, 0.1, 0.25, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("tile", [*range(32, 512, 48), 96, 352, 512])
def test_windows_start_on_the_grid_of_the_poolings(tile, overlap):
    width = 1111
    ramp = torch.arange(float(width)).expand(1, 1, 16, width)
    starts = set()

    def network(windows):
        starts.update(int(window[0, 0, 0]) for window in windows)
        return windows

    out = PromptedSlidingWindowInferer(tile, overlap)(ramp, network)
    assert len(starts) > 1
    assert {start % 16 for start in starts} == {0}
    places = sorted(starts)
    size = min(-(-tile // 16) * 16, 1120)
    assert max(b - a for a, b in itertools.pairwise(places)) <= max(16, size * (1 - overlap))
    torch.testing.assert_close(out, ramp, rtol=1e-4, atol=1e-2)
