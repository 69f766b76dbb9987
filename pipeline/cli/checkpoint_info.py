"""What a model's file says, for people and for programs."""

from __future__ import annotations

import statistics
from typing import Any

from pipeline.hashing import sha256_of
from pipeline.networks import build_network, parameters_of
from pipeline.networks.presets import preset_features
from pipeline.text import PROMPTLESS_SOURCES, TextStore
from pipeline.workflows.model_file import read_model_file

_SHOWN_PROMPTS = 5
#: what the training did with slow changes of brightness
_SHADING = {True: "removed from the images", False: "left in the images", None: "unknown"}


def checkpoint_facts(path: str) -> dict[str, Any]:
    """Read what a model is, and what it was trained on.

    Args:
        path: ``best.pt`` or ``last.pt`` of a training.

    Returns:
        Plain values, for JSON.

    Raises:
        UserError: it is not a model file, or it is damaged.
    """
    content = read_model_file(path)
    settings, data = content["network_settings"], content["data"]
    text = TextStore()
    text.load_state_dict(content["text"])
    widths = settings.get("features") or preset_features(settings.get("preset", "small"))
    return {
        "path": path,
        "kind": "checkpoint",
        "network": settings["network"],
        "preset": None if settings.get("features") else settings.get("preset", "small"),
        "widths": list(widths),
        "norm": settings.get("norm"),
        "switched_off": sorted(name for name, on in (settings.get("switches") or {}).items() if not on),
        "parameters": parameters_of(lambda: build_network(**settings)),
        "text": dict(text.provenance),
        "prompts": list(text.prompts),
        "threshold": content["threshold"],
        "train_images": len(data["train_images"]),
        "pore_label": data["pore_label"],
        "pixel_sizes_nm": list(data["pixel_sizes_nm"]),
        "flatten_shading": data["flatten_shading"],
        "start_from": data["start_from"],
        "epoch": content.get("training", {}).get("epoch"),
        "versions": dict(content["versions"]),
        "sha256": sha256_of(path),
    }


def checkpoint_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The facts as names and values."""
    is_unet = facts["network"] == "unet"
    preset = f"preset {facts['preset']}, " if facts["preset"] else ""
    lines = [
        ("network", f"{facts['network']}, {preset}widths {', '.join(map(str, facts['widths']))}, {facts['norm']} norm"),
        ("parameters", f"{facts['parameters'] / 1e6:.2f} million"),
        ("text prior", "none, as a U-Net reads no text" if is_unet else _text_prior(facts["text"])),
        ("prompts", "not read by this model" if is_unet else _prompts(facts["text"], facts["prompts"])),
        ("threshold", f"{facts['threshold']:.3g}"),
        ("trained on", f"{facts['train_images']} images, pore label {facts['pore_label']}"),
        ("pixel sizes", _pixel_sizes(facts["pixel_sizes_nm"])),
        ("shading", _SHADING[facts["flatten_shading"]]),
    ]
    if facts["switched_off"]:
        lines.insert(1, ("without", ", ".join(facts["switched_off"])))
    if facts["start_from"]:
        lines.append(("started from", f"the model with sha256 {facts['start_from']}"))
    if facts["epoch"] is not None:
        lines.append(("epoch", f"{facts['epoch']}; also holds the state needed to resume"))
    lines.append(("made with", ", ".join(f"{name} {version}" for name, version in facts["versions"].items())))
    return [*lines, ("sha256", facts["sha256"])]


def _text_prior(text: dict[str, Any]) -> str:
    """Where the text vectors come from."""
    source = text.get("source")
    size = f"{text.get('length')} vectors of {text.get('dim')}"
    weights = text.get("weights_id") or text.get("pretrained")
    said = {
        "none": "none",
        "learned": f"learned with the network ({size})",
        "random": f"random, a control: prompts have no meaning ({size})",
        "untrained": f"untrained text tower, a control ({size})",
        "clip": f"CLIP's text tower {text.get('model')}, weights {weights} ({size})",
    }
    return said.get(str(source), f"{source} ({size})")


def _prompts(text: dict[str, Any], prompts: list[str]) -> str:
    if text.get("source") in PROMPTLESS_SOURCES:
        return "not read by this model"
    named = [prompt for prompt in prompts if prompt]  # the empty one is there for comparisons
    shown = "; ".join(named[:_SHOWN_PROMPTS])
    return shown + (f"; and {len(named) - _SHOWN_PROMPTS} more" if len(named) > _SHOWN_PROMPTS else "")


def _pixel_sizes(sizes: list[float]) -> str:
    if not sizes:
        return "unknown: scans are not resampled"
    if min(sizes) == max(sizes):
        return f"{sizes[0]:.4g} nm"
    return f"{min(sizes):.4g} to {max(sizes):.4g} nm, median {statistics.median(sizes):.4g} nm"
