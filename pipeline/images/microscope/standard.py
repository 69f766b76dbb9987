"""What is no maker's own: OME-XML, ImageJ, TIFF's resolution tags, NIfTI, MRC and OME-Zarr."""

from __future__ import annotations

import gzip
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from pipeline.images.microscope.findings import Finding, same
from pipeline.images.microscope.quantities import nm_per, plain_text
from pipeline.images.microscope.side_files import first, local_name, parsed, text_at

_INCH_NM, _CM_NM = 2.54e7, 1e7
#: dots per inch of screens, printers and scanners
_PRINT_DPI = (
    72, 75, 90, 96, 100, 110, 120, 144, 150, 180, 192, 200, 220, 240, 250, 254, 266, 288, 300, 320, 350, 360, 400, 450,
    480, 500, 508, 600, 720, 800, 900, 1000, 1016, 1200, 1270, 1440, 1800, 2000, 2400, 2540, 2880, 3000, 3200, 3600,
    4000, 4800,
)  # fmt: skip
#: units of ImageJ that are no lengths on a specimen
_NO_SCALE = ("", "pixel", "pixels", "inch", "inches", "in", "in.", "px", "null")
#: a resolution above is no screen's, printer's or scanner's (dots per inch)
_FINEST_PRINT = 4800


def from_ome(text: str, image: int) -> Finding:
    """From the OME-XML of an OME-TIFF, for one of its images (from 0); its default unit is the micrometre."""
    finding = Finding("OME-XML")
    root = parsed(text)
    if root is None:
        finding.warn("it is broken")
        return finding
    pixels = [element for element in root.iter() if local_name(element) == "Pixels"]
    if image < len(pixels):
        fields = pixels[image].attrib
        finding.take_pixel_size(*(_ome_size(fields, axis) for axis in "YX"))
        if finding.pixel_size_nm == (1000, 1000) and "PhysicalSizeXUnit" not in fields:
            finding.warn("its pixel size (1, without a unit) may be a program's placeholder; check the scale")
        if len(pixels) == 1 and _lies_along_z(pixels[0]):
            finding.take_slice_spacing(_ome_size(fields, "Z"))
    objective, detector = first(root, "Objective"), first(root, "Detector")
    microscope = first(root, "Microscope")
    finding.take_conditions(
        magnification_=None if objective is None else objective.get("NominalMagnification"),
        detector=None if detector is None else detector.get("Model"),
        date=text_at(root, "AcquisitionDate"),
        instrument=None
        if microscope is None
        else f"{microscope.get('Manufacturer', '')} {microscope.get('Model', '')}",
    )
    return finding


def from_imagej(metadata: Mapping[str, Any], resolution: tuple[float, float] | None) -> Finding:
    """From ImageJ's description and the pixels for each of its unit along y and x."""
    finding = Finding("ImageJ")
    unit = plain_text(metadata.get("unit")) or ""
    # with inches or centimetres ImageJ repeats the resolution tags of the file that it opened
    if unit.lower() in ("cm", "centimeter", "centimeters"):
        return from_resolution(resolution, 3, "ImageJ")
    if unit.lower() not in _NO_SCALE and resolution is not None:
        rows, columns = resolution
        if min(rows, columns) > 0:
            unit_y = plain_text(metadata.get("yunit")) or unit
            finding.take_pixel_size(f"{1 / rows!r} {unit_y}", f"{1 / columns!r} {unit}")
        else:
            finding.warn("its pixel size is zero, negative or infinite, and is ignored")
    # without `spacing` it is 1 of the unit, which is what ImageJ puts in that knows nothing of it
    if unit.lower() not in _NO_SCALE and 1 < metadata.get("slices", 1) == metadata.get("images", 1):
        finding.take_slice_spacing(metadata.get("spacing"), plain_text(metadata.get("zunit")) or unit)
    return finding


def from_resolution(resolution: tuple[float, float] | None, unit: int, source: str = "TIFF resolution tags") -> Finding:
    """From TIFF's resolution tags: pixels for each inch (unit 2) or centimetre (3) along y and x.

    Most programs write the resolution of a screen or a printer there. What is one of those, or is coarser than 100
    um for each pixel, is no scale of the specimen. Other values are taken; those that a scanner could have, with a
    warning.
    """
    finding = Finding(source)
    if resolution is None or unit not in (2, 3) or not min(resolution) > 0:
        return finding
    nm = _INCH_NM if unit == 2 else _CM_NM
    dpi = [_INCH_NM / nm * one for one in resolution]
    # 300 dpi is 118.11 for each centimetre, and is stored as 118
    if any(abs(one - usual) <= 0.006 * usual for one in dpi for usual in _PRINT_DPI) or min(dpi) < 254:
        return finding
    finding.take_pixel_size(nm / resolution[0], nm / resolution[1], "nm")
    if finding.pixel_size_nm is not None and min(dpi) < _FINEST_PRINT:
        finding.warn(
            f"its resolution ({dpi[1]:.5g} dots per inch) is taken as the scale of the specimen, but could be that "
            "of a scanner or printer; check it, or give the pixel size"
        )
    return finding


def from_nifti_file(path: Path) -> Finding:
    """From the header of a NIfTI file."""
    import nibabel

    finding = Finding("NIfTI header")
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if compressed else path.open("rb") as file:
        start = file.read(540)
    version2 = 540 in (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))
    header = nibabel.Nifti2Header(start[:540]) if version2 else nibabel.Nifti1Header(start[:348])
    zooms, unit = [float(zoom) for zoom in header.get_zooms()], header.get_xyzt_units()[0]
    if len(zooms) < 2 or (unit == "mm" and zooms[0] == zooms[1] == 1):
        return finding  # which is what writers put in that know nothing of it
    if unit == "unknown":
        if not zooms[0] == zooms[1] == 1:
            finding.warn(f"its voxel sizes ({zooms[0]:.5g}, {zooms[1]:.5g}) have no unit, and are ignored")
        return finding
    finding.take_pixel_size(zooms[1], zooms[0], unit)
    if 1 < math.prod(header.get_data_shape()[2:]) == header.get_data_shape()[2]:
        finding.take_slice_spacing(zooms[2], unit)
    columns = np.linalg.norm(header.get_best_affine()[:3, :2], axis=0)
    if finding.pixel_size_nm is not None and not all(same(a, b) for a, b in zip(columns, zooms[:2], strict=True)):
        finding.warn(
            f"its affine gives voxels of {columns[0]:.5g} x {columns[1]:.5g} {unit}, but its voxel sizes are "
            f"{zooms[0]:.5g} x {zooms[1]:.5g}; the latter are used"
        )
    return finding


def from_mrc_file(path: Path) -> Finding:
    """From the header of an MRC file, whose unit is the angstrom."""
    import mrcfile

    finding = Finding("MRC header")
    with mrcfile.open(path, header_only=True, permissive=True) as file:
        size = file.voxel_size
        height, width, distance = float(size.y), float(size.x), float(size.z)
        along_z = 1 < int(file.header.nz) == int(file.header.mz)  # else they are images that have nothing to do with z
    if (height, width) not in ((0.0, 0.0), (1.0, 1.0)):  # what writers put in that know nothing of it
        finding.take_pixel_size(height, width, "angstrom")
        if along_z:
            finding.take_slice_spacing(distance, "angstrom")
    return finding


def from_zarr(path: Path) -> Finding:
    """From the metadata of an OME-Zarr in a folder or a zip file."""
    attributes: Any = {}
    root = path if path.is_dir() else zipfile.Path(path)
    for name in (".zattrs", "zarr.json"):
        if (root / name).is_file():
            attributes = json.loads((root / name).read_text("utf-8"))
            attributes = attributes.get("attributes", attributes)
    multiscales = multiscales_of(attributes)
    finding = from_multiscale(multiscales[0]) if multiscales else Finding("OME-Zarr")
    finding.slice_spacing_nm = None  # what its planes are is not known without the array
    return finding


def multiscales_of(attributes: Mapping[str, Any]) -> Any:
    """The images that the attributes of a Zarr group describe, of OME-Zarr 0.5 or before; None where it is none."""
    return (attributes.get("ome") or attributes).get("multiscales")


def from_multiscale(multiscale: Mapping[str, Any]) -> Finding:
    """From one entry of OME-Zarr's `multiscales`, for its first (largest) image; z is taken for the slices' axis."""
    finding = Finding("OME-Zarr")
    axes = multiscale.get("axes") or []
    if len(axes) < 2 or not all(isinstance(axis, Mapping) for axis in axes):
        return finding  # before version 0.4 there were no units
    scale = [nm_per(axis.get("unit") or "") or 0.0 for axis in axes]
    own = [*multiscale["datasets"][0].get("coordinateTransformations", [])]
    if not any(transform.get("type") == "scale" for transform in own):
        return finding
    for transform in [*own, *multiscale.get("coordinateTransformations", [])]:
        factors = transform.get("scale")
        if transform.get("type") == "scale" and isinstance(factors, Sequence) and len(factors) == len(axes):
            scale = [a * float(b) for a, b in zip(scale, factors, strict=True)]
    height, width = scale[-2:]
    if 0 < height < math.inf and 0 < width < math.inf:
        finding.take_pixel_size(height, width, "nm")
    distance = next((size for axis, size in zip(axes, scale, strict=True) if axis.get("name") == "z"), 0.0)
    if 0 < distance < math.inf:
        finding.take_slice_spacing(distance, "nm")
    return finding


def _lies_along_z(pixels: ElementTree.Element) -> bool:
    """Whether OME's images are the slices of one volume, and no channels or times."""
    channels = sum(local_name(element) == "Channel" for element in pixels.iter())
    fields = pixels.attrib
    return channels <= 1 and fields.get("SizeT", "1") == "1" and fields.get("SizeZ", "1") != "1"


def _ome_size(fields: Mapping[str, str], axis: str) -> str | None:
    size = fields.get(f"PhysicalSize{axis}")
    return None if size is None else f"{size} {fields.get(f'PhysicalSize{axis}Unit', 'µm')}"
