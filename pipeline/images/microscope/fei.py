"""Thermo Fisher (FEI): sections of text in tag 34682 (or 34680), XML in tag 34683 (also Phenom)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from pipeline.images.microscope.findings import Finding
from pipeline.images.microscope.quantities import quantity
from pipeline.images.microscope.side_files import first, parsed, text_at, text_of, with_unit

TAGS = (34682, 34680)
XML_TAG = 34683
_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]{16,}={0,2}")


def from_tag(metadata: Mapping[str, Any], shape: tuple[int, int]) -> Finding:
    """From tifffile's `fei_metadata`, for an image of height and width `shape` (px); lengths are in m."""
    finding = Finding("Thermo Fisher tag")
    scan, image, user = _section(metadata, "Scan"), _section(metadata, "Image"), _section(metadata, "User")
    beam = _section(metadata, str(_section(metadata, "Beam").get("Beam") or "EBeam"))
    beam_scan = _section(metadata, str(_section(metadata, "Beam").get("Scan") or "EScan"))
    finding.take_pixel_size(
        scan.get("PixelHeight") or beam_scan.get("PixelHeight"),
        scan.get("PixelWidth") or beam_scan.get("PixelWidth"),
        "m",
    )
    recorded = quantity(image.get("ResolutionX"))
    columns = int(recorded[0]) if recorded and recorded[0] >= 1 else shape[1]
    field_width = scan.get("HorFieldsize") or beam_scan.get("HorFieldsize") or beam.get("HFW")
    if finding.pixel_size_nm is None and not finding.warnings:
        finding.take_field_as_size(field_width, columns, "m")
    finding.warn_if_without_size()
    finding.take_field_width(field_width, columns, "m")
    unscaled = finding.take_image_width(image.get("ResolutionX"), shape[1])
    _take_bar(finding, metadata, shape, unscaled)
    detectors = _section(metadata, "Detectors")
    finding.take_conditions(
        magnification_=image.get("Magnification") or _magnification(image.get("MagCanvasRealWidth"), field_width),
        voltage=beam.get("HV") or _section(metadata, "Beam").get("HV"),
        working_distance=beam.get("WD") or _section(metadata, "Stage").get("WorkingDistance"),
        detector=detectors.get("Name"),
        date=_section(metadata, "PrivateFei").get("TimeOfCreation") or f"{user.get('Date', '')} {user.get('Time', '')}",
        instrument=_section(metadata, "System").get("SystemType") or _section(metadata, "System").get("Type"),
    )
    if finding.instrument:
        finding.instrument = f"Thermo Fisher {finding.instrument}"
    return finding


def xml_in(tag: bytes) -> str | None:
    """The XML that a tag holds as text or, in some instruments' files, coded as base64; None where it holds none."""
    data = tag.strip(b"\0 \r\n\t")
    if _BASE64.fullmatch(data):
        try:
            data = base64.b64decode(data + b"=" * 3)  # some leave out the filling at the end
        except binascii.Error:
            return None
    text = text_of(data)
    return text if text.lstrip("\ufeff \r\n\t").startswith("<") else None


def from_xml(text: str, shape: tuple[int, int]) -> Finding:
    """From the XML of newer instruments (`Metadata`) and of Phenom (`FeiImage`)."""
    finding = Finding("Thermo Fisher XML")
    root = parsed(text)
    if root is None:
        finding.warn("it is broken")
        return finding
    size = first(root, "PixelSize")
    if size is not None:
        finding.take_pixel_size(with_unit(first(size, "Y")), with_unit(first(size, "X")), "m")
        finding.take_conditions(
            voltage=text_at(root, "AccelerationVoltage"),
            working_distance=text_at(root, "WorkingDistance"),
            detector=text_at(root, "DetectorName"),
            date=text_at(root, "AcquisitionDatetime"),
            instrument=text_at(root, "InstrumentClass"),
        )
    else:
        height, width = first(root, "pixelHeight"), first(root, "pixelWidth")
        finding.take_pixel_size(with_unit(height), with_unit(width))
        if (rows := text_at(root, "databarHeight")) is not None:
            finding.take_bar_height(rows, shape[0])
        finding.take_conditions(
            magnification_=text_at(root, "magnification"),
            voltage=_positive(text_at(root, "acceleratingVoltage")),
            working_distance=with_unit(first(root, "workingDistance")),
            detector=text_at(root, "detector"),
            date=text_at(root, "time"),
            instrument=text_at(root, "instrument"),
        )
    if finding.instrument:
        finding.instrument = f"Thermo Fisher {finding.instrument}"
    return finding


def _section(metadata: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = metadata.get(name)
    return section if isinstance(section, Mapping) else {}


def _magnification(picture_width: Any, field_width: Any) -> float | None:
    """By the width of the picture that it refers to, and that of the field of view (m).

    `MagnificationMode` beside them is the number of a choice of such pictures, and no magnification.
    """
    picture, field = quantity(picture_width), quantity(field_width)
    return picture[0] / field[0] if picture and field and field[0] > 0 < picture[0] else None


def _take_bar(finding: Finding, metadata: Mapping[str, Any], shape: tuple[int, int], unscaled: bool) -> None:
    recorded = quantity(_section(metadata, "Image").get("ResolutionY"))
    stated = quantity(_section(metadata, "PrivateFei").get("DatabarHeight"))
    # the bar is drawn below the rows of the scan; its stated height is there where it was switched off, too
    if unscaled and recorded is not None and 0 < recorded[0] <= shape[0]:
        finding.take_bar_height(shape[0] - recorded[0], shape[0])
        if stated is not None and stated[0] > 0 and finding.bar_height and stated[0] != finding.bar_height:
            finding.warn(
                f"its info bar height ({stated[0]:g} px) differs from what is left below its {recorded[0]:g} rows "
                f"({finding.bar_height} px); the latter is used"
            )
    elif recorded is None and stated is not None and stated[0] > 0:
        finding.take_bar_height(stated[0], shape[0])


def _positive(text: str | None) -> str | None:
    """Phenom writes the voltage of the cathode, which is negative."""
    return None if text is None else text.strip().lstrip("-")
