"""Image, model, settings and versions, as names and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report.content import Facts
from pipeline.report.scale import number, percent, with_unit

_SETTINGS = {
    "prompt": "Text prior",
    "threshold": "Threshold",
    "region": "Region (x, y, width, height; px)",
    "chunk_size": "Chunk (px)",
    "halo": "Halo (px)",
    "batch": "Batch (chunks)",
    "precision": "Precision",
    "statistics": "Statistics of the norms",
    "flatten_shading": "Shading removed",
    "skip_empty": "Empty regions skipped",
    "device": "Device",
}


def facts(acquisition: Mapping[str, Any] | None, manifest: Mapping[str, Any]) -> tuple[Facts, ...]:
    """What is known of image, model, settings and versions; unknown values are skipped.

    Args:
        acquisition: how the image was taken (`Acquisition.to_dict`), if known.
        manifest: of the segmentation.
    """
    request = _mapping(manifest.get("request"))
    model = {
        "Checkpoint": manifest.get("checkpoint"),
        "SHA-256 of the checkpoint": request.get("checkpoint_sha256"),
    }
    settings = {name: request.get(key) for key, name in _SETTINGS.items()}
    if manifest.get("reads_prompt") is False:
        settings[_SETTINGS["prompt"]] = "none: this model reads no prompt"
    settings["Share without rock, not segmented"] = _share(manifest.get("skipped_share"))
    lowest, highest = manifest.get("shading") or (None, None)
    if lowest is not None:
        settings["Brightness of the rock (standard deviations from the mean)"] = f"{lowest:+.2f} to {highest:+.2f}"
    seam = _mapping(manifest.get("seam_certificate"))
    if seam.get("crops") and "largest" in seam:
        settings["Seams: largest difference in probability"] = number(float(seam["largest"]), 2)
        settings["Seams: places compared"] = seam["crops"]
    groups = (
        ("Image", {**_taken(acquisition), **_file(_mapping(request.get("scan")))}),
        ("Volume", _volume(_mapping(manifest.get("volume")))),
        ("Model", model),
        ("Settings", settings),
        ("Versions", dict(_mapping(manifest.get("versions")))),
    )
    return tuple(
        Facts(title, items)
        for title, values in groups
        if (items := tuple((name, _text(value)) for name, value in values.items() if value is not None))
    )


def _taken(acquisition: Mapping[str, Any] | None) -> dict[str, Any]:
    if acquisition is None:
        return {}
    known = {
        "Instrument": acquisition.get("instrument"),
        "Detector": acquisition.get("detector"),
        "Acceleration voltage": _quantity(acquisition.get("voltage_kv"), "kV"),
        "Working distance": _quantity(acquisition.get("working_distance_mm"), "mm"),
        "Magnification": _quantity(acquisition.get("magnification"), "×"),
        "Date (from the file)": acquisition.get("date"),
        "Info bar": _quantity(acquisition.get("bar_height") or None, "rows"),
    }
    place = _mapping(acquisition.get("sources")).get("pixel_size")
    return {**known, "Pixel size from": place}


def _file(scan: Mapping[str, Any]) -> dict[str, Any]:
    size = scan.get("bytes")
    return {
        "File": scan.get("name"),
        "File size": None if not isinstance(size, int | float) else with_unit(number(size / 1e6), "MB"),
        "Pixel type": scan.get("dtype"),
        "SHA-256 of samples": scan.get("sha256_of_samples") or scan.get("sha256_of_fingerprints"),
    }


def _volume(volume: Mapping[str, Any]) -> dict[str, Any]:
    """What is measured on a stack of slices only."""
    found = _mapping(volume.get("connectivity"))
    shares = {axis: _mapping(found.get(axis)).get("percolating_share") for axis in "xyz"}
    return {
        "Slices": volume.get("slices"),
        "Slice spacing": _quantity(volume.get("slice_spacing_nm"), "nm"),
        "Pores in space": found.get("pores"),
        "Pore volume": _quantity(volume.get("pore_volume_um3"), "µm³"),
        "Share of the pore volume in the largest pore": _percent(found.get("largest_share")),
        **{f"Connected fraction along {axis}": _percent(share) for axis, share in shares.items()},
        "Shift of neighbouring slices, median": _quantity(_mapping(volume.get("shifts")).get("median_px"), "px"),
    }


def _percent(value: float | None) -> str | None:
    return None if value is None else percent(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _quantity(value: float | None, unit: str) -> str | None:
    return None if value is None else with_unit(f"{value:.5g}", unit)


def _share(value: float | None) -> str | None:
    return None if not value else percent(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
