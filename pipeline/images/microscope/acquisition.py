"""From a file to how its image was taken, whoever made the microscope."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.images.formats import BEGINNING, kind_by_content, open_with_pillow
from pipeline.images.microscope import fei, hitachi, jeol, standard, tescan
from pipeline.images.microscope.findings import Finding, same
from pipeline.images.microscope.quantities import plain_text
from pipeline.images.microscope.side_files import side_file, text_of
from pipeline.images.microscope.tiff_tags import tiff_adapters


@dataclass(frozen=True)
class Acquisition:
    """How an image was taken; None is what its file does not say.

    Attributes:
        pixel_height_nm: height of a pixel (nm).
        pixel_width_nm: width of a pixel (nm).
        magnification: times, at the size of the maker's reference display.
        detector: its name.
        voltage_kv: acceleration voltage (kV).
        working_distance_mm: working distance (mm).
        date: as the file writes it, whose order of day and month is that of the microscope's language.
        instrument: maker and model.
        bar_height: rows of the info bar at the lower border (px), where the file states it; 0: there is none.
        slice_spacing_nm: distance of the file's slices (nm), where it holds several along z and nothing else.
        sources: for each of these that is known (`pixel_size` for the two first), the place in the file.
        warnings: what is odd or contradictory in the file, one line each.
    """

    pixel_height_nm: float | None = None
    pixel_width_nm: float | None = None
    magnification: float | None = None
    detector: str | None = None
    voltage_kv: float | None = None
    working_distance_mm: float | None = None
    date: str | None = None
    instrument: str | None = None
    bar_height: int | None = None
    slice_spacing_nm: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def pixel_size_nm(self) -> tuple[float, float] | None:
        """Pixel height and width (nm)."""
        if self.pixel_height_nm is None or self.pixel_width_nm is None:
            return None
        return self.pixel_height_nm, self.pixel_width_nm

    def describe(self) -> str:
        """One line for the log; the warnings are not in it."""
        parts = []
        if self.pixel_size_nm is None:
            parts.append("pixel size unknown")
        else:
            height, width = self.pixel_size_nm
            size = f"{width:.6g} nm" if f"{width:.6g}" == f"{height:.6g}" else f"{width:.6g} x {height:.6g} nm"
            parts.append(f"pixels of {size} ({self.sources.get('pixel_size', 'given')})")
        if self.magnification is not None:
            parts.append(f"magnification {self.magnification:g}")
        if self.voltage_kv is not None:
            parts.append(f"{self.voltage_kv:g} kV")
        if self.working_distance_mm is not None:
            parts.append(f"working distance {self.working_distance_mm:.4g} mm")
        if self.detector:
            parts.append(f"detector {self.detector}")
        if self.instrument:
            parts.append(self.instrument)
        if self.date:
            parts.append(self.date)
        if self.bar_height:
            parts.append(f"info bar of {self.bar_height} rows")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**values, "sources": dict(self.sources), "warnings": list(self.warnings)}


Adapter = tuple[str, Callable[[], Finding | None]]

_PHENOM_END, _LOOKED_AT = b"</FeiImage>", 1 << 16
_FIELDS = (
    "magnification", "detector", "voltage_kv", "working_distance_mm", "date", "instrument", "bar_height",
    "slice_spacing_nm",
)  # fmt: skip


def read_acquisition(path: str | os.PathLike[str], *, image: int = 0) -> Acquisition:
    """Read how an image was taken from its file and from what the microscope wrote beside it.

    Where several places state the same, the first counts: the maker's own tag (Thermo Fisher, ZEISS, TESCAN, Gatan),
    the maker's side file (TESCAN .hdr, Hitachi and JEOL .txt), OME-XML, ImageJ, TIFF's resolution tags. NIfTI, MRC and
    OME-Zarr have one place each. Pixel sizes that differ by more than 1 % from place to place are a warning. A pixel
    size that is zero, negative, not finite, or outside 0.01 nm to 100 um is left out, with a warning. OME, ImageJ,
    NIfTI, MRC and OME-Zarr may also state the distance of the slices of a volume.

    It never fails: what is broken is left out, with a warning. It reads tags and headers, no pixels.

    Args:
        path: the file; or an OME-Zarr's folder.
        image: which image of a file of several, from 0.

    Returns:
        What was found.
    """
    file = Path(path)
    findings: list[Finding] = []
    warnings: list[str] = []
    try:
        findings = _found(_adapters(file, image), warnings)
    except Exception as error:  # files that lie about themselves get errors of every type out of a parser
        warnings.append(f"the file's metadata can't be read ({_cause(error)})")
    return merged(findings, warnings)


def merged(findings: list[Finding], warnings: list[str]) -> Acquisition:
    """One acquisition out of findings, of which the first goes first."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    scaled = [finding for finding in findings if finding.pixel_size_nm is not None]
    if scaled:
        values["pixel_height_nm"], values["pixel_width_nm"] = scaled[0].pixel_size_nm or (None, None)
        sources["pixel_size"] = scaled[0].source
    for name in _FIELDS:
        finding = next((finding for finding in findings if getattr(finding, name) is not None), None)
        if finding is not None:
            values[name], sources[name] = getattr(finding, name), finding.source
    for finding in findings:
        warnings += finding.warnings
    for finding in scaled[1:]:
        warnings += _disagreement(scaled[0], finding)
    return Acquisition(**values, sources=dict(sources), warnings=tuple(dict.fromkeys(warnings)))


def _disagreement(taken: Finding, other: Finding) -> list[str]:
    (height, width), (other_height, other_width) = taken.pixel_size_nm or (0, 0), other.pixel_size_nm or (0, 0)
    if same(height, other_height) and same(width, other_width):
        return []
    return [
        f"the pixel size is {width:.5g} x {height:.5g} nm in the {taken.source}, but {other_width:.5g} x "
        f"{other_height:.5g} nm in the {other.source}; the former is used"
    ]


def _found(adapters: list[Adapter], warnings: list[str]) -> list[Finding]:
    findings = []
    for name, adapter in adapters:
        try:
            finding = adapter()
        except Exception as error:  # broken metadata, of any kind
            warnings.append(f"{name}: it is broken ({_cause(error)})")
        else:
            if finding is not None:
                findings.append(finding)
    return findings


def _adapters(file: Path, image: int) -> list[Adapter]:
    if file.is_dir():
        return [("OME-Zarr", partial(standard.from_zarr, file))]
    with file.open("rb") as stream:
        kind = kind_by_content(stream.read(BEGINNING))
    if kind == "tiff":
        own, others, shape = tiff_adapters(file, image)
        return [*own, *_beside(file, lambda: shape), *others]
    if kind == "zarr":
        return [("OME-Zarr", partial(standard.from_zarr, file))]
    if kind == "nifti":
        return [("NIfTI header", partial(standard.from_nifti_file, file))]
    if kind == "mrc":
        return [("MRC header", partial(standard.from_mrc_file, file))]
    inside: list[Adapter] = []
    if kind == "jpeg" and (text := _phenom_xml(file)) is not None:
        inside = [("Phenom XML", lambda: fei.from_xml(text, _shape(file) or (1 << 30, 1 << 30)))]
    return [*inside, *_beside(file, partial(_shape, file))]


def _beside(file: Path, shape: Callable[[], tuple[int, int] | None]) -> list[Adapter]:
    """The adapters of the side files that are there; most images have none, and their size is not looked up."""
    adapters: list[Adapter] = []
    header = side_file(file, ".hdr")
    if header is not None:
        adapters.append(("TESCAN side file", partial(tescan.from_text, header, "TESCAN side file", shape())))
    text = side_file(file, ".txt")
    if text is not None:
        adapters.append(("Hitachi side file", partial(hitachi.from_text, text, shape())))
        adapters.append(("JEOL side file", partial(jeol.from_text, text, shape())))
    return adapters


def _phenom_xml(file: Path) -> str | None:
    """Phenom's XML, which its JPEGs hold near their begin or end."""
    with file.open("rb") as stream:
        data = stream.read(_LOOKED_AT)
        stream.seek(max(stream.tell(), file.stat().st_size - _LOOKED_AT))
        data += stream.read(_LOOKED_AT)
    begin, end = data.find(b"<FeiImage"), data.rfind(_PHENOM_END)
    return text_of(data[begin : end + len(_PHENOM_END)]) if 0 <= begin < end else None


def _shape(file: Path) -> tuple[int, int] | None:
    """Height and width (px) of a PNG, JPEG or BMP."""
    with file.open("rb") as stream:
        kind = kind_by_content(stream.read(BEGINNING))
        if kind not in ("png", "jpeg", "bmp"):
            return None
        stream.seek(0)
        try:
            picture = open_with_pillow(stream, kind)
        except Exception:  # Pillow answers damaged files with errors of every type; reading them says what is wrong
            return None
        return picture.height, picture.width


def _cause(error: Exception) -> str:
    return plain_text(error, 120) or type(error).__name__
