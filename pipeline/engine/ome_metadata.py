"""Metadata of the output as OME-Zarr: OME-NGFF 0.4 on Zarr 2 (https://ngff.openmicroscopy.org/0.4)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from pipeline.phase_colours import PORE_COLOUR, as_hex, phase_colours

NGFF_VERSION = "0.4"
#: the group of the label image of several phases, in that of the image
LABELS = "labels/phases"
#: of one phase: its mask in the colour of the other pictures, its probability in grey
_MASK_AND_PROBABILITY = {"mask": as_hex(PORE_COLOUR), "probability": "FFFFFF"}


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


def ome_groups(
    name: str,
    levels: int,
    phases: Sequence[str],
    corner: tuple[int, int],
    pixel_size_nm: float | None,
    slice_spacing_nm: float | None,
) -> dict[str, dict[str, Any]]:
    """Contents of the ``.zattrs`` of all groups, by the group's path in the image, its own ("") first.

    Args:
        name: of the image.
        levels: number of levels.
        phases: names of those that have a label image and a channel each; none: one image of mask and probability.
        corner: y and x of the region of interest in the scan, pixels.
        pixel_size_nm: as for `multiscales`.
        slice_spacing_nm: likewise.
    """
    place = levels, corner, pixel_size_nm, slice_spacing_nm
    if not phases:
        how = "probability: mean of 2 x 2 pixels; mask: pore where at least 2 of 4 are"
        return {"": {**multiscales(name, "mean", how, *place), **_omero(name, _MASK_AND_PROBABILITY)}}
    colours = phase_colours(phases)
    channels = {"phases": "FFFFFF", **{phase: as_hex(colour) for phase, colour in zip(phases, colours, strict=True)}}
    how = "the phase that most of 2 x 2 pixels are; of equally many, a phase rather than none, the lower number first"
    labels, label_name = LABELS.split("/")
    return {
        "": {**multiscales(name, "mean", f"probabilities: mean of 2 x 2 pixels; phases: {how}", *place)}
        | _omero(name, channels, {"phases": float(len(phases))}),
        labels: {"labels": [label_name]},
        LABELS: {**multiscales(label_name, "mode", how, *place)}
        | {
            "image-label": {
                "version": NGFF_VERSION,
                "colors": [{"label-value": i, "rgba": [*colour, 255]} for i, colour in enumerate(colours, start=1)],
                "properties": [{"label-value": i, "name": phase} for i, phase in enumerate(phases, start=1)],
                "source": {"image": "../../"},
            }
        },
    }


def multiscales(
    name: str,
    kind: str,
    how: str,
    levels: int,
    corner: tuple[int, int],
    pixel_size_nm: float | None,
    slice_spacing_nm: float | None,
) -> dict[str, Any]:
    """What the ``.zattrs`` of an image say of its axes, and of the pixel size of each level.

    A level's pixel covers 2^level pixels of level 0, so that its centre lies (2^level - 1) / 2 of them further in. The
    translation says so, and where the region of interest starts.

    Args:
        name: of the image.
        kind: of the reduction from level to level, in a word.
        how: the same in full.
        levels: number of levels.
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
                "type": kind,
                "metadata": {"description": how},
            }
        ]
    }


def _omero(name: str, channels: dict[str, str], brightest: dict[str, float] | None = None) -> dict[str, Any]:
    """How viewers show the channels, given their colours by name, and which value is brightest where it is not 255."""
    ends = brightest or {}
    return {
        "omero": {
            "version": NGFF_VERSION,
            "name": name,
            "channels": [
                {
                    "active": True,
                    "coefficient": 1.0,
                    "color": colour,
                    "family": "linear",
                    "inverted": False,
                    "label": channel,
                    "window": {"min": 0.0, "max": 255.0, "start": 0.0, "end": ends.get(channel, 255.0)},
                }
                for channel, colour in channels.items()
            ],
            "rdefs": {"defaultT": 0, "defaultZ": 0, "model": "color"},
        }
    }
