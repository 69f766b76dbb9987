"""What the model that a training starts from says of the pixels about which the labels say nothing."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from pipeline.data import Sample
from pipeline.engine.precision import MixedPrecisionInferer, autocast
from pipeline.networks import SegmentationOutput
from pipeline.workflows.model_file import TrainedModel


def earlier_model(
    network: nn.Module, origin: TrainedModel | None, phases: Sequence[str], samples: Sequence[Sample]
) -> EarlierModel | None:
    """The model that a training starts from, to be asked in each step.

    Args:
        network: as it starts.
        origin: the model whose weights it has; None: none.
        phases: of the network.
        samples: of the training.

    Returns:
        None where the training starts from nothing, or where its images are labelled as a whole.
    """
    if origin is None or all(sample.labelled == sample.pixels for sample in samples):
        return None
    thresholds = {phase.name: threshold for phase, threshold in zip(origin.phases, origin.thresholds, strict=True)}
    return EarlierModel(network, [thresholds.get(name, 0.5) for name in phases])


class EarlierModel:
    """A network as it is now, whatever becomes of it.

    Args:
        network: is copied.
        thresholds: of each phase: from which probability on its pixels are that phase.
    """

    def __init__(self, network: nn.Module, thresholds: Sequence[float]) -> None:
        self._network = copy.deepcopy(network).eval().requires_grad_(False)
        self._shift = torch.tensor([math.log(one / (1 - one)) for one in thresholds]).reshape(1, -1, 1, 1)

    @torch.no_grad()
    def __call__(self, inputs: torch.Tensor, **given: Any) -> torch.Tensor:
        """Logits (N, K, H, W), which are 0 at the thresholds."""
        given.pop("mask", None)
        return self._network(inputs, **given).float() - self._shift.to(inputs.device)


class TrainingInferer(MixedPrecisionInferer):
    """Runs the network on the whole input, and asks the model that it started from, if there is one.

    Args:
        precision: `auto`, `bfloat16` or `float32`.
        earlier: the model.
    """

    def __init__(self, precision: str, earlier: EarlierModel | None = None) -> None:
        super().__init__(precision)
        self._earlier = earlier

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What `network(inputs, ...)` returns, for images (N, C, H, W); with an earlier model, its answers too."""
        found = super().__call__(inputs, network, *args, **kwargs)
        if self._earlier is None:
            return found
        with autocast(self.precision, inputs.device):
            earlier = self._earlier(inputs, **kwargs)
        if isinstance(found, SegmentationOutput):
            return found._replace(earlier=earlier)
        return SegmentationOutput(found, found.new_zeros(len(found)), earlier)
