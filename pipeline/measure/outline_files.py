"""Outlines in the files of other programs: GeoJSON for QuPath, sets of ROIs for ImageJ and Fiji."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.files import atomic_path, write_error
from pipeline.measure.pores_2d.outlines import Outline
from pipeline.phase_colours import RGB

if TYPE_CHECKING:
    from roifile import ImagejRoi

#: decimals of a coordinate (px)
_DECIMALS = 2
_STORED = (1980, 1, 1, 0, 0, 0)  # the date in a zip file: the same outlines give the same bytes


def write_geojson(path: Path, outlines: Iterable[Outline], name: str, colour: RGB, is_stack: bool) -> None:
    """Write a feature collection that QuPath opens (File, Import objects): an annotation for each object.

    Args:
        path: ``*.geojson``; it appears when it is whole.
        outlines: in the scan (px).
        name: of the phase, which is the class of each object.
        colour: of the class.
        is_stack: whether the slice is given too.

    Raises:
        UserError: the disk is full or refuses.
    """
    classification = {"name": name, "color": list(colour)}
    try:
        with atomic_path(path) as partial, partial.open("w", encoding="utf-8") as file:
            file.write('{"type": "FeatureCollection", "features": [')
            for place, outline in enumerate(outlines):
                geometry: dict[str, Any] = {
                    "type": "Polygon",
                    "coordinates": [_rounded(ring) for ring in outline.rings],
                }
                if is_stack:
                    geometry["plane"] = {"c": -1, "z": outline.slice, "t": 0}
                properties = {
                    "objectType": "annotation",
                    "name": f"{name} {outline.number}",
                    "classification": classification,
                }
                feature = {"type": "Feature", "geometry": geometry, "properties": properties}
                file.write((",\n" if place else "\n") + json.dumps(feature, separators=(",", ":"), ensure_ascii=False))
            file.write("\n]}\n")
    except OSError as error:
        raise write_error(path, error) from error


def _rounded(ring: np.ndarray) -> list[list[float]]:
    return np.round(ring, _DECIMALS).tolist()


def write_rois(path: Path, outlines: Iterable[Outline], name: str, colour: RGB, is_stack: bool) -> None:
    """Write a set of ROIs that Fiji's ROI Manager opens: a polygon for each object, a composite where it has holes.

    Args:
        path: ``*.zip``; it appears when it is whole.
        outlines: in the scan (px).
        name: of the phase.
        colour: of the lines.
        is_stack: whether each belongs to a slice.

    Raises:
        UserError: the disk is full or refuses.
    """
    stroke = bytes([255, *colour])
    try:
        with atomic_path(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for outline in outlines:
                roi = _roi(outline.rings)
                roi.name, roi.stroke_color = f"{name} {outline.number}", stroke
                if is_stack:
                    roi.position = outline.slice + 1
                # a slash in the name of a phase would make a folder
                entry = zipfile.ZipInfo(roi.name.replace("/", "_") + ".roi", _STORED)
                archive.writestr(entry, roi.tobytes(), zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise write_error(path, error) from error


def _roi(rings: list[np.ndarray]) -> ImagejRoi:
    from roifile import ROI_TYPE, ImagejRoi

    if len(rings) == 1:
        roi = ImagejRoi.frompoints(rings[0][:-1].astype(np.float32))
        roi.roitype = ROI_TYPE.POLYGON
        return roi
    roi = ImagejRoi()
    roi.roitype = ROI_TYPE.RECT
    (left, top), (right, bottom) = np.floor(rings[0].min(axis=0)), np.ceil(rings[0].max(axis=0))
    roi.left, roi.top, roi.right, roi.bottom = int(left), int(top), int(right), int(bottom)
    # the path of a java.awt.Shape: 0 moves to a point, 1 draws a line to one, 4 closes the ring
    path: list[float] = []
    for ring in rings:
        for place, (x, y) in enumerate(ring[:-1].tolist()):
            path += [float(place > 0), x, y]
        path.append(4.0)
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)
    return roi
