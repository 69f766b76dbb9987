"""The prediction engine as a MONAI `Inferer`: whole images in, probabilities out, as `segment` gives them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from monai.inferers import Inferer
from torch import nn

from pipeline.engine.prediction import PredictionSettings
from pipeline.engine.scan_predictor import predictor_for
from pipeline.engine.sizes import bytes_for_a_pixel, fitting_sizes, network_scale
from pipeline.foreground.intensity import NothingToSee
from pipeline.foreground.measurement import Foreground
from pipeline.images.rectangles import Rows
from pipeline.images.volume import volume_of_array
from pipeline.text import TextFeatures
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows, check_imaged

logger = logging.getLogger("vlsenet")


class MicrographInferer(Inferer):
    """Predicts whole images by the functions that segment scans, each as a scan of its own.

    So the same pixel of the same image has the same probability in training, evaluation and segmentation: grey levels,
    shading, empty ground and the network's statistics are those of the image itself, and each window counts once. It
    needs a text for each image, grey values as the file has them, and gives probabilities, not logits: an image of
    another pixel size is resampled for the network, and its probability back.

    Args:
        settings: how the network is applied.
        trained_nm: pixel sizes of the network's training images (nm); empty where they are not known.
    """

    def __init__(self, settings: PredictionSettings, trained_nm: Sequence[float] = ()) -> None:
        super().__init__()
        self.settings = settings
        self.trained_nm = tuple(trained_nm) if settings.rescale else ()

    def __call__(
        self,
        inputs: torch.Tensor,
        network: Any,
        *args: Any,
        text: torch.Tensor,
        tokens: torch.Tensor,
        pixel_size_nm: torch.Tensor | None = None,
        named: torch.Tensor | None = None,
        name: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Probability of each phase (N, K, H, W), float32, 0 to 1; 0 where there is no rock.

        A network that takes a pass of its decoder for each phrase is asked for the named phases only.

        Args:
            inputs: images (N, 1, H, W), grey values as their files have them, without info bars.
            network: as trained, in evaluation mode; called as `network(windows, text, tokens)`.
            args: none; they belong to the interface.
            text: feature of each image's prompt (N, D), or of those of K phases (N, K, D).
            tokens: features of its tokens (N, L, D), or (N, K, L, D).
            pixel_size_nm: pixel height and width of each image (N, 2), nanometres; NaN or None: not known.
            named: which phases are wanted of each image (N, K), truth values; None: all. Where a network takes a pass
                for each, the others are 0.
            name: of each image, for messages.
            kwargs: none; they belong to the interface.

        Raises:
            UserError: an image is too small, holds NaN, or does not fit into the device's memory.
        """
        images = torch.as_tensor(inputs).detach().cpu().numpy()
        names = name or [f"image {number}" for number in range(len(images))]
        sizes = [None] * len(images) if pixel_size_nm is None else pixel_size_nm.cpu().tolist()
        every = torch.ones(len(images), text.shape[1] if text.dim() == 3 else 1, dtype=torch.bool)
        asked = named.cpu().bool() if named is not None and getattr(network, "BY_PHRASE", False) else every
        result = torch.zeros(*every.shape, *images.shape[2:])
        for place, (image,), *features, which, size, called in zip(
            result, images, text, tokens, asked, sizes, names, strict=True
        ):
            if not which.all():
                features = [feature[which.to(feature.device)] for feature in features]
            if which.any():
                found = self._predict(
                    image, cast(nn.Module, network), TextFeatures(*features), size, called, inputs.device
                )
                place[which] = torch.from_numpy(found)
        return result.to(inputs.device)

    def _predict(
        self,
        image: np.ndarray,
        network: nn.Module,
        features: TextFeatures,
        pixel_size_nm: Sequence[float] | None,
        name: str,
        device: torch.device,
    ) -> np.ndarray:
        """Probability (K, H, W) of an image (H, W)."""
        settings, shape = self.settings, (image.shape[0], image.shape[1])
        known = pixel_size_nm is not None and not any(map(math.isnan, pixel_size_nm))
        scale = network_scale(
            (pixel_size_nm[0], pixel_size_nm[1]) if known and pixel_size_nm else None, self.trained_nm
        )
        check_imaged(shape, Rows(0, shape[0]), None, scale, name)
        per_pixel = bytes_for_a_pixel(network, settings.statistics)
        chunk_size, batch = fitting_sizes(
            per_pixel, device, settings.halo, (1, *shape), scale, settings.chunk_size, settings.batch
        )
        plan = ChunkPlan(*shape, chunk=chunk_size, block=chunk_size)
        windows = Windows(plan, settings.halo, scale, uniform=batch > 1)
        with volume_of_array(image, name) as volume:
            try:
                foreground = Foreground.measured(volume, windows, settings.skip_empty, settings.shading)
            except NothingToSee as nothing:  # one such image among many is no mistake; it holds no pore
                logger.warning("%s", nothing)
                return np.zeros((features.phases, *shape), np.float32)
            predictor = predictor_for(volume, windows, foreground, network, features, settings, batch, device)
            return predictor.probability()[:, 0]
