"""What an image's file says, for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.cli.names import model_in
from pipeline.errors import UserError
from pipeline.microscope import Acquisition
from pipeline.scan.sources import ScanSource, ScanStack, open_scan, open_stack
from pipeline.scan.volume import ScanVolume

_CONDITIONS = (
    ("slice_spacing_nm", "slice spacing", "{:.6g} nm"),
    ("magnification", "magnification", "{:g}"),
    ("voltage_kv", "voltage", "{:g} kV"),
    ("working_distance_mm", "working distance", "{:.4g} mm"),
    ("detector", "detector", "{}"),
    ("instrument", "instrument", "{}"),
    ("date", "date", "{}"),
)


def image_facts(path: str, page: int | None = None) -> dict[str, Any]:
    """Read an image's size, storage, conditions and info bar.

    Args:
        path: an image, a scan, or a folder of slices.
        page: which image of a file of several; None: the first, and how many there are.

    Returns:
        Plain values, for JSON.

    Raises:
        UserError: it can't be read, or is the folder of a training.
    """
    if (model := model_in(path)) is not None:
        raise UserError(f"{path}: it is the folder of a training, not an image; for its model give {model}")
    stack = open_stack(path) if page is None else ScanStack(path, [lambda: open_scan(path, page=page)])
    with ScanVolume(stack, "auto") as volume, volume.slice(0, as_stored=True) as source:
        acquisition = volume.acquisition or Acquisition()
        bar = volume.shape[0] - volume.rows
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
            "info_bar_told_by": None if not bar else "look" if acquisition.bar_height is None else "file",
            **acquisition.to_dict(),
        }


def _storage(source: ScanSource) -> str:
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
        lines.append(("pixel size", "unknown; vlsenet segment --pixel_size_nm N sets it"))
    else:
        size = f"{width:.6g} nm" if f"{width:.6g}" == f"{height:.6g}" else f"{width:.6g} x {height:.6g} nm"
        lines.append(("pixel size", f"{size} ({facts['sources'].get('pixel_size', 'stored')})"))
    for name, shown, form in _CONDITIONS:
        if facts[name] is not None:
            lines.append((shown, form.format(facts[name])))
    if facts["info_bar_px"]:
        source = "detected in the image" if facts["info_bar_told_by"] == "look" else "as the file says"
        lines.append(("info bar", f"{facts['info_bar_px']} rows below the image, {source}; not segmented"))
    else:
        lines.append(("info bar", "none found"))
    return lines + [("warning", warning) for warning in facts["warnings"]]
