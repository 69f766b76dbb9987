"""The card of a model in its bundle, by the headings that MONAI's model zoo asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pipeline
from pipeline.networks.factory import preset_features
from pipeline.workflows.model_file import TrainedModel

#: scores of an evaluation that a card has, in its order
_SHOWN = ("dice", "iou", "precision", "recall", "boundary_f1", "porosity_error", "area_error")


def score_names(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """The scores of a summary as `metadata.json` has them: means over the images, and pooled pixels."""
    return {
        f"{kind}_{name}": round(float(evaluation[kind][name]), 4)
        for kind in ("mean", "pooled")
        for name in _SHOWN
        if evaluation[kind].get(name) is not None
    }


def card_text(
    model: TrainedModel, name: str, metadata: Mapping[str, Any], licence: str, evaluation: Mapping[str, Any] | None
) -> str:
    """The card, in Markdown.

    Args:
        model: that it describes.
        name: of the bundle.
        metadata: of the bundle.
        licence: of the weights.
        evaluation: `summary.json` of an evaluation, if there is one.
    """
    phases = ", ".join(phase.name for phase in model.phases)
    sections = {
        "Model Description": _description(model, phases),
        "Data": _data(model, metadata),
        "Performance": _performance(model, evaluation),
        "Additional Usage Steps": _usage(name) + _standing_alone(model),
        "System Configuration": "A CPU is enough; a CUDA GPU is used where there is one.",
        "Limitations": _limitations(model),
        "Licence": f"Weights: {licence}. Configs: Apache-2.0 (`LICENSE`).",
    }
    title = f"# {metadata['name']}\n\n### **Authors**\n{metadata['authors']}\n"
    tags = f"\n### **Tags**\nSegmentation, SEM, Rock, {phases}\n"
    return title + tags + "".join(f"\n## **{heading}**\n{text.strip()}\n" for heading, text in sections.items())


def _description(model: TrainedModel, phases: str) -> str:
    settings = model.network_settings
    widths = settings.get("features") or preset_features(settings.get("preset", "small"))
    count = sum(parameter.numel() for parameter in model.network.parameters())
    thresholds = ", ".join(
        f"{phase.name} {value:g}" for phase, value in zip(model.phases, model.thresholds, strict=True)
    )
    network = "VLSE-Net" if settings["network"] == "vlsenet" else "U-Net"
    text = f" Text prior: {model.text.provenance.get('source')}." if model.reads_text else ""
    around = (
        "" if model.reach is None else f" It sees {model.reach} px around each window, at an eighth of the resolution."
    )
    return (
        f"{network} that finds {phases} in scanning electron micrographs of rock, by the package `vlsenet` on MONAI. "
        f"Widths {', '.join(map(str, widths))}; {count / 1e6:.2f} million weights.{text}{around} Thresholds of the "
        f"probability: {thresholds}."
    )


def _data(model: TrainedModel, metadata: Mapping[str, Any]) -> str:
    sizes = model.data["pixel_sizes_nm"]
    size = f"{min(sizes):.4g} to {max(sizes):.4g} nm" if sizes else "not known, so scans are not resampled"
    return (
        f"Source: {metadata['data_source']}.\nTraining images: {len(model.data['train_images'])}. Pixel size: {size}.\n"
        "\n#### **Preprocessing**\nDone by the package: each micrograph has mean 0 and standard deviation 1 over its "
        "rock, "
        + {True: "its shading removed", False: "its shading left in", "both": "seen with and without its shading"}[
            model.shading
        ]
        + "; the norms' statistics are those of the whole micrograph."
    )


def _performance(model: TrainedModel, evaluation: Mapping[str, Any] | None) -> str:
    lines = []
    if evaluation is not None:
        lines += [
            f"On {evaluation['images']} images (split {evaluation['split']}), by `vlsenet evaluate`:",
            "",
            "| score | mean of images | pooled pixels |",
            "|---|---:|---:|",
        ]
        values = {kind: evaluation[kind] for kind in ("mean", "pooled")}
        for score in _SHOWN:
            if values["pooled"].get(score) is not None or values["mean"].get(score) is not None:
                cells = ["" if values[k].get(score) is None else f"{values[k][score]:.4f}" for k in ("mean", "pooled")]
                lines.append(f"| {score} | {' | '.join(cells)} |")
    else:
        lines.append("Not stated: no evaluation was given (`vlsenet bundle --scores`).")
    for phase in model.phases:
        if (error := model.error_of(phase.name)) is not None:
            lines.append(
                f"\nArea fraction of {phase.name} on {error.images} images of {error.sources} micrographs that it was "
                f"not trained on: off by {error.absolute:.4f} on average, which `vlsenet segment` adds to intervals."
            )
    return "\n".join(lines)


def _usage(name: str) -> str:
    return f"""\
Where the package `vlsenet` is installed, in the folder `{name}`:

```
vlsenet segment scan.tif --checkpoint models/model.pt
python -m monai.bundle run --config_file configs/inference.yaml --input images --output_dir out
python -m monai.bundle verify_net_in_out --net_id network_def --meta_file configs/metadata.json \\
    --config_file configs/inference.yaml
python -m monai.bundle ckpt_export --net_id network_def --ckpt_file models/model.pt --filepath models/model.ts \\
    --meta_file configs/metadata.json --config_file configs/inference.yaml
python -m monai.bundle verify_metadata --meta_file configs/metadata.json --filepath meta_schema.json
```

In Python, with the zip file as it came:
`import pipeline as vlsenet; vlsenet.load("{name}_v{pipeline.__version__}.zip").segment("scan.tif")`.
`ckpt_export` writes TorchScript, `vlsenet export` the other formats. TensorRT was not tried.
"""


def _standing_alone(model: TrainedModel) -> str:
    """What `network_def` of a network with surroundings does in its own way."""
    if model.reach is None:
        return ""
    shading = (
        ", and its shading is taken out of that, too, which it was not in the training" if model.shading is True else ""
    )
    return (
        "\n`network_def`, which these two commands take, sees the image as a whole micrograph: nothing lies around it"
        f"{shading}. `vlsenet export` writes the network with its surroundings as a second input.\n"
    )


def _limitations(model: TrainedModel) -> str:
    known = (
        "Each scan is compared with the training images, and one that is unlike them is told."
        if model.familiarity is not None
        else "The model's file does not describe its training images, so that unlike scans are not told."
    )
    return f"For research on rock; not for medical use. It knows the rocks and magnifications of its training. {known}"
