"""Sliding-window inference with a text prior for each image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from monai.inferers import Inferer, SlidingWindowInferer
from torch import nn
from torch.nn import functional as F

from pipeline.engine.pinned_network import MicrographStatistics
from pipeline.engine.precision import autocast
from pipeline.networks.inputs import STRIDE


class PromptedSlidingWindowInferer(Inferer):
    """MONAI's sliding window, for networks that take one text feature per image.

    MONAI gives every window of a batch the same extra arguments, or pairs them wrongly when several images are in
    the batch; here each image is run on its own and its text is repeated for its windows. A window is never larger
    than the image needs, so that a small image is not padded to a large window; and all windows start on the grid
    of the poolings, so that they pool the same blocks of pixels.

    Args:
        tile_size: longest side of a window (px), rounded up to a multiple of 16.
        overlap: share of a window that its neighbour covers too, 0 to below 1.
        batch_size: windows in one forward pass.
        mirror: average the logits over the four mirrorings of each window: four times the work for a steadier
            answer, as a pore is one from every side.
        precision: `auto`, `bfloat16` or `float32`.
        statistics: gives the network of an image's micrograph. None: the network takes what it reads from each
            window.
    """

    def __init__(
        self,
        tile_size: int = 512,
        overlap: float = 0.25,
        batch_size: int = 4,
        mirror: bool = False,
        precision: str = "float32",
        statistics: MicrographStatistics | None = None,
    ) -> None:
        super().__init__()
        self.tile_size = tile_size
        self.overlap = overlap
        self.batch_size = batch_size
        self.mirrorings: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3)) if mirror else ((),)
        self.precision = precision
        self.statistics = statistics

    def __call__(
        self,
        inputs: torch.Tensor,
        network: Callable[..., torch.Tensor],
        *args: Any,
        source: Sequence[str] | None = None,
        **text: torch.Tensor,
    ) -> torch.Tensor:
        """Logits (N, 1, H, W) in float32.

        Args:
            inputs: images (N, C, H, W).
            network: called as `network(windows, **text)`.
            args: none; they belong to the interface.
            source: the micrograph of each image, where statistics are pinned.
            text: each keyword (N, ...) holds one text feature per image.
        """
        logits = []
        for i in range(len(inputs)):
            own = network
            if self.statistics is not None and source is not None:
                with autocast(self.precision, inputs.device):  # statistics of what the network will see
                    own = self.statistics.network_for(source[i], cast(nn.Module, network))
            logits.append(self._one_image(inputs[i : i + 1], own, {key: value[i] for key, value in text.items()}))
        return torch.cat(logits)

    def _one_image(
        self, image: torch.Tensor, network: Callable[..., torch.Tensor], text: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        def predict(windows: torch.Tensor) -> torch.Tensor:
            repeated = {key: value.expand(len(windows), *value.shape) for key, value in text.items()}
            with autocast(self.precision, windows.device):
                logits = [network(windows.flip(axes), **repeated).flip(axes).float() for axes in self.mirrorings]
            return torch.stack(logits).mean(0) if len(logits) > 1 else logits[0]

        height, width = image.shape[2:]
        # MONAI moves the last window of a row back to the image's border, which is on the grid only then
        image = F.pad(image, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        window = [min(_round_up(self.tile_size), side) for side in image.shape[2:]]
        inferer = SlidingWindowInferer(
            roi_size=window,
            sw_batch_size=self.batch_size,
            overlap=[_overlap_on_grid(side, self.overlap) for side in window],
            mode="gaussian",
        )
        logits = cast(torch.Tensor, inferer(image, predict))
        return logits[..., :height, :width]


def _overlap_on_grid(window: int, overlap: float) -> float:
    """The least overlap from the one asked for on, whose step from window to window is a multiple of 16 pixels."""
    step = max(STRIDE, int(window * (1 - overlap)) // STRIDE * STRIDE)
    # MONAI rounds the step down: half a pixel more, so that no rounding of floats takes one off
    return max(0.0, 1 - (step + 0.5) / window)


def _round_up(side: int) -> int:
    return -(-side // STRIDE) * STRIDE
