"""JEOL: a side file (.txt) whose keys start with $; the pixel size is that of the scale bar."""

from __future__ import annotations

from pipeline.microscope.finding import Finding
from pipeline.microscope.quantities import length_nm, quantity
from pipeline.microscope.side_files import pairs_of


def from_text(text: str, shape: tuple[int, int] | None) -> Finding | None:
    """From the side file's text, for an image of height and width `shape` (px); None where it is not JEOL's.

    The file gives the scale bar's length twice, as a length and in whole pixels, so that a pixel size is as exact
    as one pixel in the bar's length, mostly 1 %.
    """
    pairs = {key.lstrip("$"): value for key, value in pairs_of(text, (" ",)).items() if key.startswith("$")}
    if not any(key.startswith(("CM_", "SM_")) for key in pairs):
        return None
    finding = Finding("JEOL side file")
    bar, marker = quantity(pairs.get("SM_MICRON_BAR")), pairs.get("SM_MICRON_MARKER")
    length = length_nm(marker)
    if bar is None and marker is None:
        finding.warn("it has no scale bar, and so no pixel size")
    elif bar is None or bar[0] <= 0 or length is None:
        finding.warn(f"its scale bar ({pairs.get('SM_MICRON_BAR')} px, {marker}) gives no pixel size")
    else:
        finding.take_pixel_size(length / bar[0], length / bar[0], "nm")
    if shape is not None:
        _take_bar(finding, pairs.get("CM_FULL_SIZE", ""), shape)
    finding.take_conditions(
        magnification_=pairs.get("CM_MAG"),
        voltage=pairs.get("CM_ACCEL_VOLT"),
        voltage_unit=1e3,
        working_distance=pairs.get("SM_WD"),
        working_distance_unit="mm",
        detector=pairs.get("CM_SIGNAL"),
        date=f"{pairs.get('CM_DATE', '')} {pairs.get('CM_TIME', '')}",
        instrument=f"JEOL {pairs.get('CM_INSTRUMENT', '').removeprefix('JEOL')}",
    )
    return finding


def _take_bar(finding: Finding, full_size: str, shape: tuple[int, int]) -> None:
    """The image's rows are those of the scan and, below, those of the bar."""
    sizes = full_size.lower().replace("x", " ").replace(",", " ").split()
    if len(sizes) < 2:
        return
    width, height = quantity(sizes[0]), quantity(sizes[1])
    if width is None or height is None:
        return
    # equal heights say nothing: some instruments write the bar over the scan's last rows
    if finding.take_image_width(width[0], shape[1]) and 0 < height[0] < shape[0]:
        finding.take_bar_height(shape[0] - height[0], shape[0])
