"""How a scan is segmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.images.rectangles import Roi
from pipeline.measure.pores_2d import MIN_AREA_PX


@dataclass(frozen=True)
class ScanSettings:
    """How a scan is segmented.

    Attributes:
        prompt: text prior.
        threshold: probability from which a pixel is pore.
        roi: ``x,y,w,h`` in pixels, or a sequence of the four; None: the whole scan.
        chunk_size: side of a chunk (px); None: by the device's memory.
        halo: around a chunk (px).
        batch: chunks in one forward pass; None: by the device's memory.
        precision: of the convolutions, as in ``autocast``.
        statistics: ``micrograph`` (pinned to the scan) or ``network``.
        flatten_shading: take slow changes of brightness out.
        skip_empty: leave empty ground around the rock out.
        formats: further files: ``tiff``, ``nifti``; a list, or names between commas.
        pixel_size_nm: of the scan (nm); None: as its file says.
        rescale: resample a scan to the pixel size that the model was trained at, where both are known.
        info_bar: what to do with the microscope's info bar: ``auto``, ``keep``, or its height (px).
        invert: whether pores are bright in the scan.
        slice_spacing_nm: distance of slices of a stack (nm); None: as its file says.
        report: measure every pore, and write the table and the report.
        min_pore_area_px: smallest pore in the table (px); the mask and the porosity keep them all.
    """

    prompt: str
    threshold: float
    roi: str | Sequence[int] | None = None
    chunk_size: int | None = None
    halo: int = 128
    batch: int | None = None
    precision: str = "auto"
    statistics: str = "micrograph"
    flatten_shading: bool = True
    skip_empty: bool = True
    formats: str | Sequence[str] = ()
    pixel_size_nm: float | None = None
    rescale: bool = True
    info_bar: str | int = "auto"
    invert: bool = False
    slice_spacing_nm: float | None = None
    report: bool = True
    min_pore_area_px: int = MIN_AREA_PX

    @property
    def region(self) -> Roi | None:
        """The region of interest."""
        return None if self.roi is None else Roi.of(self.roi)

    @property
    def outputs(self) -> dict[str, Any]:
        """Which files are written; mask and probability don't depend on it."""
        return {"report": self.report, "min_pore_area_px": self.min_pore_area_px, "formats": list(self.format_names)}

    @property
    def format_names(self) -> tuple[str, ...]:
        """The further files, in order, each once."""
        return format_names(self.formats)


def format_names(formats: str | Sequence[str]) -> tuple[str, ...]:
    """Names of formats from a list, or from names between commas; in order, each once."""
    names = formats.split(",") if isinstance(formats, str) else formats
    return tuple(sorted({str(name).strip() for name in names} - {""}))
