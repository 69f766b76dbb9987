"""TESCAN: lines of key and value in tag 50431, or in a side file (.hdr)."""

from __future__ import annotations

from pipeline.microscope.finding import Finding
from pipeline.microscope.side_files import pairs_of

TAG = 50431
#: a file that has none of these is not TESCAN's
_MARKS = ("PixelSizeX", "ImageStripSize", "AccFrames", "ViewFieldsCountX")


def from_text(text: str, source: str, shape: tuple[int, int] | None) -> Finding | None:
    """From the text of the tag (which may have binary data before it) or of the side file; lengths are in m.

    Args:
        text: decoded.
        source: "TESCAN tag" or "TESCAN side file".
        shape: height and width of the image (px), where known.

    Returns:
        None where it is not TESCAN's.
    """
    pairs = pairs_of(text)
    for mark in _MARKS:  # the first key may stand right behind binary data
        key = next((key for key in pairs if key != mark and key.endswith(mark)), None)
        if key is not None and mark not in pairs:
            pairs[mark] = pairs[key]
    if not any(mark in pairs for mark in _MARKS):
        return None
    finding = Finding(source)
    finding.take_pixel_size(pairs.get("PixelSizeY"), pairs.get("PixelSizeX"), "m")
    if finding.pixel_size_nm is None and not finding.warnings:
        finding.warn("it has no pixel size")
    if shape is not None and "ImageStripSize" in pairs:
        finding.take_bar_height(pairs["ImageStripSize"], shape[0])
    finding.take_conditions(
        magnification_=pairs.get("Magnification"),
        voltage=pairs.get("HV") or pairs.get("AcceleratorVoltage"),
        working_distance=pairs.get("WD"),
        detector=pairs.get("Detector") or pairs.get("Detector0"),
        date=f"{pairs.get('Date', '')} {pairs.get('Time', '')}",
        instrument=f"TESCAN {pairs.get('DeviceModel') or pairs.get('Device') or ''}",
    )
    return finding
