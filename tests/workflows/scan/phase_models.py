"""Small models of two phases, whose logits depend on the grey values alone."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from pipeline.data import DatasetIndex
from pipeline.networks import build_network
from pipeline.phases import LabelValues, Phase
from pipeline.text import TextSource, build_text_source, build_text_store
from pipeline.workflows import load_model, model_content
from pipeline.workflows.model_file import TrainedModel

NAMES = ("pore", "silt grain", "clay")
THRESHOLDS = (0.4, 0.5, 0.25)
GREY = {"pore": 30, "silt grain": 200, "clay": 120}


class ByGrey(nn.Module):
    """Gives each phase a logit by how near a pixel's normalised grey level is to one of three."""

    def __init__(self, levels: tuple[float, ...] = (-3.0, 3.0, 0.0)) -> None:
        super().__init__()
        self.levels = nn.Parameter(torch.tensor(levels))

    def forward(self, image: torch.Tensor, text: object = None, tokens: object = None) -> torch.Tensor:
        """Logits (N, K, H, W) of images (N, 1, H, W), whatever the text."""
        return 4 - 4 * (image - self.levels[:, None, None]).abs()


def phases_model(
    folder: Path,
    network: str = "unet",
    names: tuple[str, ...] = NAMES,
    source: TextSource | None = None,
    reach: int | None = None,
) -> TrainedModel:
    """The model of a file that a training with these phases would write; its weights are random."""
    torch.manual_seed(0)
    phases = tuple(Phase.of(name) for name in names)
    learned = source is not None and network == "vlsenet"
    source = source or build_text_source("random")
    settings = {"network": network, "norm": "instance", "phases": len(names), "text_dim": source.dim}
    settings |= {"features": [8, 8, 16, 16, 32], "learned_text": learned, "reach": reach}
    values = LabelValues(phases, tuple((number,) for number in range(len(names))))
    data = DatasetIndex((folder,), (), (values,))
    asked = [phase.prompt for phase in phases]
    metrics = {f"{name}/val_threshold": value for name, value in zip(names, THRESHOLDS, strict=False)}
    content = model_content(
        build_network(**settings), settings, build_text_store(source, asked), data, metrics, (), True, asked=asked
    )
    torch.save(content, folder / "best.pt")
    return load_model(str(folder / "best.pt"))
