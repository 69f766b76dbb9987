"""ROIs of ImageJ and Fiji: single files, and sets of the ROI Manager."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.annotations.drawn import UNNAMED, Annotation, Area, Drawing, Line, separate_points

if TYPE_CHECKING:
    from roifile import ImagejRoi

#: what the ROI Manager calls a ROI by itself: its place; and numbers behind a name
_PLACE = re.compile(r"[\d\-_ ]*")
_NUMBER = re.compile(r"[-_ ]*\d+$")


def is_roi_set(path: Path) -> bool:
    """Whether a zip file holds ROIs."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".roi") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def read_rois(path: Path) -> list[Annotation]:
    """The ROIs of a file, all of one image; the name of each, without a number behind it, is its class.

    Raises:
        Exception: it is damaged, or of a type that has no pixels.
    """
    from roifile import roiread

    found = roiread(path)
    rois = found if isinstance(found, list) else [found]
    return [Annotation(path, drawings=[drawing for roi in rois for drawing in _drawings(roi)])]


def class_of(name: str) -> str:
    """The class of a ROI by its name, as in `pore 12`; empty for the names that the ROI Manager gives."""
    return UNNAMED if _PLACE.fullmatch(name) else _NUMBER.sub("", name.strip())


def _drawings(roi: ImagejRoi) -> list[Drawing]:
    from roifile import ROI_TYPE

    name = class_of(roi.name or UNNAMED)
    if max(roi.position, roi.z_position) > 1:
        raise ValueError(f"the ROI {roi.name} belongs to slice {max(roi.position, roi.z_position)}: images of a data "
                         "set are single slices")  # fmt: skip
    rings = [np.asarray(one, float) for one in roi.coordinates(multi=True)]
    if roi.roitype in (ROI_TYPE.LINE, ROI_TYPE.FREELINE, ROI_TYPE.POLYLINE, ROI_TYPE.ANGLE):
        return [Line(name, np.concatenate(rings), roi.stroke_width or None)]
    if roi.roitype == ROI_TYPE.POINT:  # of the multi-point tool, many
        return separate_points(name, np.concatenate(rings))
    if not rings or not len(rings[0]):
        raise ValueError(f"the ROI {roi.name} has no outline")
    return [Area(name, rings)]
