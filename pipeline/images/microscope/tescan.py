"""TESCAN: lines of key and value in tag 50431, or in a side file (.hdr)."""

from __future__ import annotations

import re

from pipeline.images.microscope.findings import Finding
from pipeline.images.microscope.quantities import quantity
from pipeline.images.microscope.side_files import pairs_of, text_of

TAG = 50431
#: a file that has none of these is not TESCAN's
_MARKS = ("PixelSizeX", "ImageStripSize", "AccFrames", "ViewFieldsCountX")
_TEXT = re.compile(rb"[\t\r\n\x20-\xff]{16,}")


def text_in(tag: bytes) -> str:
    """The text of the tag, which may have binary data before and behind it; its zeros would look like UTF-16."""
    runs = [run for run in _TEXT.findall(tag) if any(mark.encode() in run for mark in _MARKS)]
    return text_of(b"\n".join(runs) or tag)


def from_text(text: str, source: str, shape: tuple[int, int] | None) -> Finding | None:
    """From the text of the tag or of the side file; lengths are in m.

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
    finding.warn_if_without_size()
    if shape is not None and "ImageStripSize" in pairs:
        finding.take_bar_height(pairs["ImageStripSize"], shape[0])
    views = [quantity(pairs.get(f"ViewFieldsCount{axis}")) for axis in "XY"]
    across, down = (int(view[0]) if view is not None and 1 <= view[0] < 100 else 1 for view in views)
    if across * down > 1:
        finding.warn(
            f"the image holds {across * down} views of the same place, {across} across and {down} down, which would "
            "all be counted; choose one of them with --roi x,y,w,h"
        )
    finding.take_conditions(
        magnification_=pairs.get("Magnification"),
        voltage=pairs.get("HV") or pairs.get("AcceleratorVoltage"),
        working_distance=pairs.get("WD"),
        detector=pairs.get("Detector") or pairs.get("Detector0"),
        date=f"{pairs.get('Date', '')} {pairs.get('Time', '')}",
        instrument=f"TESCAN {pairs.get('DeviceModel') or pairs.get('Device') or ''}",
    )
    return finding
