"""Sliding-window inference with a text prior for each image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from monai.inferers import Inferer, SlidingWindowInferer

#: every network here halves the image four times
_STRIDE = 16


class PromptedSlidingWindowInferer(Inferer):
    """MONAI's sliding window, for networks that take one text feature per image.

    MONAI gives every window of a batch the same extra arguments, or pairs them wrongly when several images are in
    the batch; here each image is run on its own and its text is repeated for its windows. A window is never larger
    than the image needs, so that a small image is not padded to a large window.

    Args:
        tile_size: longest side of a window (px), rounded up to a multiple of 16.
        overlap: share of a window that its neighbour covers too, 0 to below 1.
        batch_size: windows in one forward pass.
        mirror: average the logits over the four mirrorings of each window: four times the work for a steadier
            answer, as a pore is one from every side.
    """

    def __init__(self, tile_size: int = 512, overlap: float = 0.25, batch_size: int = 4, mirror: bool = False) -> None:
        super().__init__()
        self.tile_size = tile_size
        self.overlap = overlap
        self.batch_size = batch_size
        self.mirrorings: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3)) if mirror else ((),)

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any, **text: torch.Tensor
    ) -> torch.Tensor:
        """Logits (N, 1, H, W) of images (N, C, H, W); each keyword (N, ...) holds one text feature per image."""
        return torch.cat(
            [
                self._one_image(inputs[i : i + 1], network, {key: value[i] for key, value in text.items()})
                for i in range(len(inputs))
            ]
        )

    def _one_image(
        self, image: torch.Tensor, network: Callable[..., torch.Tensor], text: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        def predict(windows: torch.Tensor) -> torch.Tensor:
            repeated = {key: value.expand(len(windows), *value.shape) for key, value in text.items()}
            logits = [network(windows.flip(axes), **repeated).flip(axes) for axes in self.mirrorings]
            return torch.stack(logits).mean(0) if len(logits) > 1 else logits[0]

        inferer = SlidingWindowInferer(
            roi_size=[min(_round_up(self.tile_size), _round_up(side)) for side in image.shape[2:]],
            sw_batch_size=self.batch_size,
            overlap=self.overlap,
            mode="gaussian",
            padding_mode="replicate",
        )
        return cast(torch.Tensor, inferer(image, predict))


def _round_up(side: int) -> int:
    return -(-side // _STRIDE) * _STRIDE
