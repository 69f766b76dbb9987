"""Features of each pixel from inside a network: what its first and last layers say of the pixel and its surroundings.

convpaint (L. Hinderling et al., 2024) and featureforest (M. Bagheri et al., 2024) take features of networks that were
trained on photographs; here they are those of a network that was trained on rock, so that a few strokes go a long way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import nn
from torch.nn import functional as F

from pipeline.engine.pinned_network import prompted
from pipeline.engine.prediction import Surroundings, at_scan_scale
from pipeline.engine.scan_predictor import pinned_for
from pipeline.images.rectangles import Part
from pipeline.tiling.windows import Windows
from pipeline.workflows.label_loop.seen_image import SeenImage, text_of

#: whose outputs are features: the first convolutions, and the decoder's last stages from coarse to fine
_LAYERS = ("conv_0", "upcat_3", "upcat_2", "upcat_1")
#: the grey levels themselves, smoothed by these (px): for phases that the network was not trained to see
_SMOOTHED = (0.0, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class FeatureMaps:
    """Features of the pixels of a part of an image, each at the resolution at which the network has it.

    A linear function of them is taken at that resolution, and its values are enlarged: both are linear, so that the
    order changes nothing but the time, of which an image of all features at full size would take most.

    Attributes:
        part: of the image.
        windows: of the image.
        maps: (C, h, w) each, of the window around the part, whose sides are one or more times theirs.
    """

    part: Part
    windows: Windows
    maps: tuple[torch.Tensor, ...]

    @property
    def size(self) -> int:
        """D, the number of features."""
        return sum(len(one) for one in self.maps)

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Features (N, D), float32, of pixels of the image, by their rows and columns in it (N,)."""
        window = self.windows.around(self.part)
        places = []
        for place, first, scale, length in (
            (columns, window.left, self.windows.scale[1], self.maps[0].shape[2]),
            (rows, window.top, self.windows.scale[0], self.maps[0].shape[1]),
        ):
            inside = (np.asarray(place, np.float64) + 0.5) * scale - first
            places.append(torch.from_numpy(2 * inside / length - 1))
        grid = torch.stack(places, dim=1).float()[None, None]
        sampled = [
            F.grid_sample(one[None].float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
            for one in self.maps
        ]
        return torch.cat(sampled, dim=1)[0, :, 0].T.contiguous().numpy()

    def linear(self, weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """A linear function of the features of all pixels of the part, (K, H, W), float32.

        Args:
            weights: (K, D).
            offsets: (K,).
        """
        shape = self.maps[0].shape[1:]
        total = torch.zeros(len(weights), *shape)
        first = 0
        for one in self.maps:
            own = torch.from_numpy(np.ascontiguousarray(weights[:, first : first + len(one)], np.float32))
            first += len(one)
            values = torch.einsum("kc,chw->khw", own, one.float())
            if values.shape[1:] != shape:
                values = F.interpolate(values[None], size=tuple(shape), mode="bilinear", align_corners=False)[0]
            total += values
        total += torch.from_numpy(np.asarray(offsets, np.float32))[:, None, None]
        return at_scan_scale(total.numpy(), self.windows, self.part)


class PixelFeatures:
    """Features of the pixels of one image.

    Args:
        image: as the model sees it.
        layers: whose outputs are taken, by their names in the network; none: the grey levels alone.
    """

    def __init__(self, image: SeenImage, layers: Sequence[str] = _LAYERS) -> None:
        model = image.model
        self._image, self._layers = image, layers
        if not layers:
            return
        text = text_of(model)
        self._network, self._around = pinned_for(
            image.volume,
            image.windows,
            image.foreground,
            model.network,
            text,
            image.settings,
            model.device,
            answers=False,
        )
        self._run = prompted(self._network, text, image.settings.precision)

    def of(self, part: Part) -> FeatureMaps:
        """Features of an imaged part of the image; the network runs once.

        Raises:
            UserError: the part can't be read.
        """
        window = self._image.window(part)
        height, width = window.shape[2:]
        padded = F.pad(window, (0, -width % 16, 0, -height % 16), mode="replicate")
        maps = [_grey(padded[0, 0].numpy())]
        if self._layers:
            around = _view(self._around, self._image, part)
            with _tapped(self._network, self._layers) as outputs, torch.no_grad():
                logits = self._run(padded.to(self._image.model.device), **around)
            maps += [one[0].float().cpu() for one in (*outputs.values(), logits)]
        return FeatureMaps(part, self._image.windows, tuple(maps))


def _grey(window: np.ndarray) -> torch.Tensor:
    """Grey levels (H, W), smoothed and not, and their squares: a phase may be neither the darkest nor the brightest."""
    levels = np.stack([gaussian_filter(window, sigma) if sigma else window for sigma in _SMOOTHED])
    return torch.from_numpy(np.concatenate([levels, np.minimum(levels**2, 25)]).astype(np.float32))


def _view(around: Surroundings | None, image: SeenImage, part: Part) -> dict[str, torch.Tensor]:
    if around is None:
        return {}
    return {"view": around.view(part.slice, image.windows.around(part)).to(image.model.device)}


@contextmanager
def _tapped(network: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
    """What layers give while this lasts, by their names; of several of one name, the first."""
    found: dict[str, torch.Tensor] = {}

    def keep(name: str, module: nn.Module, given: object, output: torch.Tensor) -> None:
        found.setdefault(name, output.detach())

    hooks = []
    for layer in layers:
        module = next((one for name, one in network.named_modules() if name.split(".")[-1] == layer), None)
        if module is not None:
            hooks.append(module.register_forward_hook(partial(keep, layer)))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
