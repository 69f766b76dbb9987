from __future__ import annotations

import pytest
import torch

from pipeline.workflows import PromptedSlidingWindowInferer


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
