"""A whole image as the network sees it: in training, and where the look of an image is compared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.foreground.coarse import CoarseMicrograph
from pipeline.foreground.intensity import NothingToSee
from pipeline.foreground.measurement import BOTH, Foreground, ShadingChoice
from pipeline.images.volume import volume_of_array
from pipeline.networks.surroundings import CHANNELS, FACTOR
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows


class SeenImage(NamedTuple):
    """What the network sees of an image (H, W).

    Attributes:
        fine: (C, H, W), float32, C = 2 where it sees the image with and without its shading.
        coarse: (2, H / 8, W / 8), rounded up, float32: as the surroundings show it, see `CoarseMicrograph`.
    """

    fine: np.ndarray
    coarse: np.ndarray


def seen_image(
    pixels: np.ndarray, name: str, skip_empty: bool = True, flatten_shading: ShadingChoice = True
) -> SeenImage:
    """A whole image (H, W) as the network sees it, at its own pixel size; 0 everywhere if it has no contrast.

    Args:
        pixels: grey values, without an info bar.
        name: for messages.
        skip_empty: leave empty ground out of the statistics.
        flatten_shading: remove slow changes of brightness, or show the image with and without them.

    Raises:
        UserError: NaN or infinite values.
    """
    with volume_of_array(pixels, name) as volume:
        windows = Windows(ChunkPlan(*volume.shape), 0)
        try:
            measured = Foreground.measured(volume, windows, skip_empty, flatten_shading)
        except NothingToSee:
            coarse = (-(-side // FACTOR) for side in pixels.shape)
            fine = 2 if flatten_shading == BOTH else 1, *pixels.shape
            return SeenImage(*(np.zeros(shape, np.float32) for shape in (fine, (CHANNELS, *coarse))))
        (slice_,) = np.asarray(CoarseMicrograph.of(volume, windows, measured).values)
        coarse_image = slice_.transpose(2, 0, 1).astype(np.float32)
        return SeenImage(measured.normalisation.network_input(pixels, 0, 0, 0), coarse_image)


def normalised_image(pixels: np.ndarray, name: str) -> np.ndarray:
    """A whole image (H, W), float32, with its shading removed."""
    (image,) = seen_image(pixels, name).fine
    return image
