"""Hitachi: a side file (.txt) of keys and values behind [SemImageFile]; PixelSize is in nm."""

from __future__ import annotations

from pipeline.microscope.finding import Finding
from pipeline.microscope.side_files import pairs_of


def from_text(text: str, shape: tuple[int, int] | None) -> Finding | None:
    """From the side file's text, for an image of height and width `shape` (px); None where it is not Hitachi's."""
    pairs = pairs_of(text)
    if "[SemImageFile]" not in text and not {"InstructName", "PixelSize"} <= pairs.keys():
        return None
    finding = Finding("Hitachi side file")
    finding.take_pixel_size(pairs.get("PixelSize"), pairs.get("PixelSize"), "nm")
    if finding.pixel_size_nm is None and not finding.warnings:
        finding.warn("it has no pixel size")
    if shape is not None:
        finding.take_image_width(pairs.get("DataSize", "").lower().partition("x")[0], shape[1])
    finding.take_conditions(
        magnification_=pairs.get("Magnification"),
        voltage=pairs.get("AcceleratingVoltage"),
        working_distance=pairs.get("WorkingDistance"),
        working_distance_unit="um",
        detector=pairs.get("SignalName") or pairs.get("Signal"),
        date=f"{pairs.get('Date', '')} {pairs.get('Time', '')}",
        instrument=f"Hitachi {pairs.get('InstructName') or pairs.get('InstrumentName') or ''}",
    )
    return finding
