"""Hitachi: a side file (.txt) of keys and values behind [SemImageFile]; PixelSize is in nm."""

from __future__ import annotations

from pipeline.images.microscope.findings import Finding
from pipeline.images.microscope.quantities import magnification, quantity
from pipeline.images.microscope.side_files import pairs_of

#: width of the photograph that older instruments refer their magnification to
_PHOTO_WIDTH_NM = 127e6


def from_text(text: str, shape: tuple[int, int] | None) -> Finding | None:
    """From the side file's text, for an image of height and width `shape` (px); None where it is not Hitachi's."""
    pairs = pairs_of(text)
    if "[SemImageFile]" not in text and not {"InstructName", "PixelSize"} <= pairs.keys():
        return None
    finding = Finding("Hitachi side file")
    finding.take_pixel_size(pairs.get("PixelSize"), pairs.get("PixelSize"), "nm")
    columns, _, rows = pairs.get("DataSize", "").lower().partition("x")
    finding.warn_if_without_size(_likely_size(pairs.get("Magnification"), columns))
    finding.take_recorded_size(rows, columns, shape)
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


def _likely_size(times: str | None, columns: str) -> str:
    """What the magnification would give; its reference differs between instruments, so it is a warning only."""
    factor, width = magnification(times), quantity(columns)
    if factor is None or factor <= 0 or width is None or width[0] < 1:
        return ""
    size = _PHOTO_WIDTH_NM / factor / width[0]
    return (
        f"; if its magnification ({factor:g}) refers to a photograph 127 mm wide, as with older instruments, it is "
        f"{size:.4g} nm: check against the scale bar, and give --pixel_size_nm"
    )
