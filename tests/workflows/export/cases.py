"""Tiny trained models, as a checkpoint gives them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from pipeline.data import DatasetIndex
from pipeline.networks import Switches, build_network
from pipeline.networks.surroundings import no_view
from pipeline.phases import LabelValues, Phase
from pipeline.text import build_text_source, build_text_store
from pipeline.workflows import load_model, model_content
from pipeline.workflows.items import Prompts
from pipeline.workflows.model_file import TrainedModel

FEATURES = [8, 8, 16, 16, 32]
PROMPT = "thin pores"
#: what is quick to trace and still reads the text
FEW_PARTS = {name: name == "modulate_bottleneck" for name in Switches.names()}
PORES = LabelValues.of_pore(2)
#: of a data set with two phases
TWO_PHASES = LabelValues((Phase.of("large pore"), Phase.of("clay", "clay between grains")), ((1,), (2,)))
#: N, H, W: neither traced nor among those that the export itself checks
OTHER_SIZES = ((1, 16, 33), (2, 65, 47), (1, 96, 128))


def write_checkpoint(
    path: Path,
    network: str = "vlsenet",
    norm: str = "instance",
    text_source: str = "random",
    values: LabelValues = PORES,
    **settings: object,
) -> None:
    """A model file whose norms are not the identity and whose text matters."""
    torch.manual_seed(0)
    prompts = [phase.prompt for phase in values.phases]
    source = build_text_source(text_source, phases=prompts)
    if len(prompts) > 1:
        settings["phases"] = len(prompts)
    settings = {"network": network, "features": FEATURES, "text_dim": source.dim, "norm": norm, **settings}
    made = build_network(**settings)
    for name, parameter in made.named_parameters():
        if "to_gamma_beta" in name or "to_channel_delta" in name:
            nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        image = torch.randn(4, 1, 64, 64)
        view = no_view(image, settings.get("reach"))
        made(image, torch.zeros(4, source.dim), torch.zeros(4, 3, source.dim), view=view)
    data = DatasetIndex((path.parent,), (), (values,))
    store = build_text_store(source, prompts if len(prompts) > 1 else ["pore", PROMPT])
    thresholds = {"val_threshold": 0.375, "large pore/val_threshold": 0.25}
    torch.save(model_content(made, settings, store, data, thresholds, (), True), path)


def trained_model(folder: Path, **settings: object) -> TrainedModel:
    """The model of such a file."""
    path = folder / "best.pt"
    write_checkpoint(path, **settings)
    return load_model(str(path))


def probability(model: TrainedModel, inputs: dict[str, torch.Tensor], prompt: Prompts) -> torch.Tensor:
    """What the network itself says, (N, K, H, W), under the texts among the inputs, or else under stored prompts."""
    features = model.text.together(prompt)
    batch = len(inputs["image"])
    text = {name: torch.stack([value] * batch) for name, value in features._asdict().items()}
    with torch.no_grad():
        logits: torch.Tensor = model.network(**{**text, **inputs})
    return logits.sigmoid()
