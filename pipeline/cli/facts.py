"""What the file of an image or a model says, for people and for programs."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.files import sha256_of
from pipeline.images import ImageSource, ScanStack, ScanVolume, open_image, open_stack
from pipeline.images.microscope.scale_bar import SCALE_BAR, ScaleBar, find_scale_bar, scale_doubt, write_scale_bar
from pipeline.images.microscope.text_recognition import INSTALL, can_read_text
from pipeline.images.rectangles import Rows
from pipeline.images.volume import bars_in_words
from pipeline.measure.model_error import ModelError
from pipeline.networks import build_network, parameters_of
from pipeline.networks.factory import preset_features
from pipeline.networks.surroundings import surroundings_of
from pipeline.phases import PORE
from pipeline.text import PROMPTLESS_SOURCES, TextStore
from pipeline.workflows.model_file import read_model_file

_SHOWN_PROMPTS = 5
#: what the training did with slow changes of brightness
_SHADING = {
    True: "removed from the images",
    False: "left in the images",
    None: "unknown",
    "both": "both: images are seen with and without it",
}


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
        "surroundings": surroundings_of(settings.get("reach")),
        "switched_off": sorted(name for name, on in (settings.get("switches") or {}).items() if not on),
        "parameters": parameters_of(lambda: build_network(**settings)),
        "text": dict(text.provenance),
        "prompts": list(text.prompts),
        "phases": [phase["name"] for phase in data["phases"]],
        "threshold": _threshold(content),
        "train_images": len(data["train_images"]),
        "pore_label": data["pore_label"],
        "one_micrograph": data["one_micrograph"],
        "pixel_sizes_nm": list(data["pixel_sizes_nm"]),
        "flatten_shading": data["flatten_shading"],
        "start_from": data["start_from"],
        "about": data["about"],
        "error_on_other_micrographs": _errors(data),
        "tells_unlike_scans": data["familiarity"] is not None,
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
        *_surroundings(facts["surroundings"]),
        ("text prior", "none, as a U-Net reads no text" if is_unet else _text_prior(facts["text"])),
        ("prompts", "not read by this model" if is_unet else _prompts(facts["text"], facts["prompts"])),
        *_threshold_lines(facts["phases"], facts["threshold"]),
        ("trained on", _trained_on(facts)),
        ("pixel sizes", _pixel_sizes(facts["pixel_sizes_nm"])),
        ("shading", _SHADING[facts["flatten_shading"]]),
    ]
    if about := facts["about"]:
        lines = [
            ("model", about["title"]),
            ("data", about["trained_on"]),
            ("licence", about["licence"]),
            *lines,
        ]
    for phase, error in facts["error_on_other_micrographs"].items():
        what = "porosity" if phase == PORE else phase
        said = (
            f"{what} was off by {error['absolute']:.4f} on average over {error['images']} images of {error['sources']} "
            "micrographs that it was not trained on"
        )
        lines.append(("elsewhere", said))
    if not facts["error_on_other_micrographs"]:
        lines.append(("elsewhere", "unknown: validated on fewer than two other micrographs"))
    known = (
        "those unlike its training are told"
        if facts["tells_unlike_scans"]
        else "those unlike its training are not told"
    )
    lines.append(("new scans", known))
    if facts["switched_off"]:
        lines.insert(1, ("without", ", ".join(facts["switched_off"])))
    if facts["start_from"]:
        lines.append(("started from", f"the model with sha256 {facts['start_from']}"))
    if facts["epoch"] is not None:
        lines.append(("epoch", f"{facts['epoch']}; also holds the state needed to resume"))
    lines.append(("made with", ", ".join(f"{name} {version}" for name, version in facts["versions"].items())))
    return [*lines, ("sha256", facts["sha256"])]


def _surroundings(surroundings: str) -> list[tuple[str, str]]:
    """How far the network sees beyond its window, if it does."""
    seen = f"seen, {surroundings.removesuffix('px')} px beyond the window to every side"
    return [] if surroundings == "none" else [("surroundings", seen)]


def _errors(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By phase, how far area fractions were from the truth on other micrographs, where that is known."""
    found = {phase: ModelError.of(images) for phase, images in data["held_out"].items()}
    return {phase: error.to_dict() for phase, error in found.items() if error is not None}


def _threshold(content: dict[str, Any]) -> float | dict[str, float]:
    """One number, or those of several phases by name."""
    if "threshold" in content:
        return float(content["threshold"])
    names = [phase["name"] for phase in content["data"]["phases"]]
    return dict(zip(names, map(float, content["thresholds"]), strict=True))


def _threshold_lines(phases: list[str], threshold: float | dict[str, float]) -> list[tuple[str, str]]:
    """The model's threshold, and what its phases are, where there are several."""
    if not isinstance(threshold, dict):
        return [("threshold", f"{threshold:.3g}")]
    each = ", ".join(f"{name}={value:.3g}" for name, value in threshold.items())
    return [("phases", ", ".join(phases)), ("thresholds", each)]


def _trained_on(facts: dict[str, Any]) -> str:
    label = "" if facts["pore_label"] is None else f", pore label {facts['pore_label']}"
    same = ", validated on the same micrograph" if facts["one_micrograph"] else ""
    return f"{facts['train_images']} images{label}{same}"


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


_CONDITIONS = (
    ("slice_spacing_nm", "slice spacing", "{:.6g} nm"),
    ("magnification", "magnification", "{:g}"),
    ("voltage_kv", "voltage", "{:g} kV"),
    ("working_distance_mm", "working distance", "{:.4g} mm"),
    ("detector", "detector", "{}"),
    ("instrument", "instrument", "{}"),
    ("date", "date", "{}"),
)


def image_facts(path: str, page: int | None = None, scale_bar_png: str | None = None) -> dict[str, Any]:
    """Read an image's size, storage, conditions, info bar and scale bar.

    Args:
        path: an image, a scan, or a folder of slices.
        page: which image of a file of several; None: the first, and how many there are.
        scale_bar_png: a picture of the scale bar as it was read goes here.

    Returns:
        Plain values, for JSON.

    Raises:
        UserError: it can't be read; or a picture is asked for, and there is no scale bar that can be read.
    """
    stack = open_stack(path) if page is None else ScanStack(path, [lambda: open_image(path, page=page)])
    with ScanVolume(stack, "auto") as volume, volume.slice(0, as_stored=True) as source:
        acquisition = volume.acquisition
        bar = volume.shape[0] - volume.rows.number
        scale = find_scale_bar(source, volume.rows) if can_read_text() else None
        doubt = None if scale is None else scale_doubt(scale, acquisition)
        if doubt is not None:
            acquisition = replace(acquisition, warnings=(*acquisition.warnings, doubt))
        if scale_bar_png is not None:
            _write_picture(path, scale_bar_png, source, scale)
        return {
            "path": path,
            "kind": "image",
            "width_px": source.shape[1],
            "height_px": source.shape[0],
            "images": volume.depth,
            "are_one_volume": stack.no_volume is None,
            "type": source.dtype.name,
            "channels": source.channels,
            "storage": _storage(source),
            "block_px": [source.block[1], source.block[0]],
            "info_bar_px": bar,
            "imaged_rows": list(volume.rows),
            "info_bar_told_by": None if not bar else "look" if acquisition.bar_height is None else "file",
            "scale_bar": None if scale is None else {**scale.to_dict(), "read": scale.describe()},
            **acquisition.to_dict(),
        }


def _write_picture(path: str, picture: str, source: ImageSource, scale: ScaleBar | None) -> None:
    if scale is None:
        needed = "" if can_read_text() else f", which needs a library that reads text: {INSTALL}"
        raise UserError(f"--scale_bar_png {picture}: no scale bar of {path} could be read{needed}")
    if Path(picture).exists():
        raise UserError(f"--scale_bar_png {picture}: it exists; give another name")
    write_scale_bar(Path(picture), source, scale)


def _storage(source: ImageSource) -> str:
    """How the file's pixels can be read."""
    height, width = source.block
    if source.decoded_whole:
        return "whole"
    if (height, width) == (1, 1):
        return "uncompressed"
    return "strips" if width >= source.shape[1] else "tiles"


def image_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The facts as names and values."""
    channels = "grey" if facts["channels"] == 1 else f"{facts['channels']} channels"
    lines = [("size", f"{facts['width_px']} x {facts['height_px']} pixels, {facts['type']}, {channels}")]
    if facts["images"] > 1:
        one = "each on its own" if Path(facts["path"]).is_dir() else "the one given by --page"
        whole = ", or all as one volume with --stack" if facts["are_one_volume"] else ""
        said = f"{facts['images']}; this is the first. vlsenet segment takes {one}{whole}"
        lines.append(("images", said))
    block = "{} x {} pixels".format(*facts["block_px"])
    stored = {
        "whole": "compressed in one piece: read at once, and kept in a temporary file if it is large",
        "uncompressed": "uncompressed: any window can be read on its own",
        "strips": f"in strips of {block}: read strip by strip",
        "tiles": f"in tiles of {block}: read tile by tile",
    }
    lines.append(("stored", stored[facts["storage"]]))
    height, width = facts["pixel_height_nm"], facts["pixel_width_nm"]
    if height is None or width is None:
        missing = "" if can_read_text() else f"; to read it from the scale bar, {INSTALL}"
        lines.append(("pixel size", f"unknown; vlsenet segment --pixel_size_nm N sets it{missing}"))
    else:
        size = f"{width:.6g} nm" if f"{width:.6g}" == f"{height:.6g}" else f"{width:.6g} x {height:.6g} nm"
        lines.append(("pixel size", f"{size} ({facts['sources'].get('pixel_size', 'stored')})"))
    if (scale := facts["scale_bar"]) is not None:
        use = f"; vlsenet segment --pixel_size_nm {SCALE_BAR} takes it" if width is None else ""
        lines.append(("scale bar", f"{scale['read']}{use}"))
    for name, shown, form in _CONDITIONS:
        if facts[name] is not None:
            lines.append((shown, form.format(facts[name])))
    if facts["info_bar_px"]:
        source = "detected in the image" if facts["info_bar_told_by"] == "look" else "as the file says"
        bars = bars_in_words(Rows(*facts["imaged_rows"]), facts["height_px"])
        lines.append(("info bar", f"{bars}, {source}; not segmented"))
    else:
        lines.append(("info bar", "none found"))
    return lines + [("warning", warning) for warning in facts["warnings"]]
