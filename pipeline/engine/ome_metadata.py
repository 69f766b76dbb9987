"""Metadata of the output as OME-Zarr: OME-NGFF 0.4 on Zarr 2 (https://ngff.openmicroscopy.org/0.4)."""

from __future__ import annotations

from math import ceil
from typing import Any

NGFF_VERSION = "0.4"
_COLOURS = ("E69F00", "FFFFFF")  # pore in the orange of the other pictures, probability in grey


def level_shapes(shape: tuple[int, int, int], chunk: int) -> list[tuple[int, int, int]]:
    """Slices, rows and columns of each level: halved, rounded up, until a slice fits one chunk. Slices stay."""
    shapes = [shape]
    while max(shapes[-1][1:]) > chunk:
        depth, height, width = shapes[-1]
        shapes.append((depth, ceil(height / 2), ceil(width / 2)))
    return shapes


def array_metadata(
    shape: tuple[int, int, int], channels: int, chunk: int, compressor: dict[str, Any]
) -> dict[str, Any]:
    """Contents of a level's ``.zarray``: axes t, c, z, y, x."""
    depth, height, width = shape
    return {
        "zarr_format": 2,
        "shape": [1, channels, depth, height, width],
        "chunks": [1, 1, 1, chunk, chunk],
        "dtype": "|u1",
        "fill_value": 0,
        "order": "C",
        "filters": None,
        "compressor": compressor,
        "dimension_separator": "/",
    }


def image_metadata(
    name: str,
    levels: int,
    channels: tuple[str, ...],
    corner: tuple[int, int],
    pixel_size_nm: float | None,
    slice_spacing_nm: float | None,
) -> dict[str, Any]:
    """Contents of the image's ``.zattrs``: axes, pixel size of each level, names and colours of the channels.

    A level's pixel covers 2^level pixels of level 0, so that its centre lies (2^level - 1) / 2 of them further in. The
    translation says so, and where the region of interest starts.

    Args:
        name: of the image.
        levels: number of levels.
        channels: their names.
        corner: y and x of the region of interest in the scan, pixels.
        pixel_size_nm: nanometres; None where unknown: then lengths are in pixels, with no unit.
        slice_spacing_nm: distance of slices, nanometres; where it is not known, the pixel size stands in its place.
    """
    size = pixel_size_nm or 1.0
    # without the pixel size a length is in pixels, and one in nanometres beside it would be another unit
    spacing = (slice_spacing_nm if pixel_size_nm else None) or size
    unit = {"unit": "nanometer"} if pixel_size_nm else {}
    datasets = []
    for level in range(levels):
        factor = 2**level
        offset = [(at + (factor - 1) / 2) * size for at in corner]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1.0, 1.0, spacing, factor * size, factor * size]},
                    {"type": "translation", "translation": [0.0, 0.0, 0.0, *offset]},
                ],
            }
        )
    axes: list[dict[str, str]] = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", **unit} for axis in "zyx"]
    return {
        "multiscales": [
            {
                "version": NGFF_VERSION,
                "name": name,
                "axes": axes,
                "datasets": datasets,
                "type": "mean",
                "metadata": {"description": "probability: mean of 2 x 2 pixels; mask: pore where at least 2 of 4 are"},
            }
        ],
        "omero": {
            "version": NGFF_VERSION,
            "name": name,
            "channels": [
                {
                    "active": True,
                    "coefficient": 1.0,
                    "color": _COLOURS[index],
                    "family": "linear",
                    "inverted": False,
                    "label": channel,
                    "window": {"min": 0.0, "max": 255.0, "start": 0.0, "end": 255.0},
                }
                for index, channel in enumerate(channels)
            ],
            "rdefs": {"defaultT": 0, "defaultZ": 0, "model": "color"},
        },
    }
