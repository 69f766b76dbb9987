"""What a report says of a stack in space: pictures of the volume, sizes of 3-D objects, and how they are connected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from pipeline.report.measures import Measures
from pipeline.report.pictures import lossy
from pipeline.report.plots import Plot
from pipeline.report.tables import Box, Table, centroid, listed, mapping, percent_or_none, quantity, text_of
from pipeline.report.units import number, percent, whole, with_unit

_LARGEST = 10
#: most bytes of a picture of the volume; a third more in the page
_MOST_BYTES = 300_000


@dataclass(frozen=True)
class VolumePicture:
    """A picture of the volume.

    Attributes:
        title: a few words.
        caption: what is seen.
        image: WebP.
    """

    title: str
    caption: str
    image: bytes


@dataclass(frozen=True)
class VolumeSection:
    """The part of a report that is about the volume.

    Attributes:
        pictures: in reading order.
        plots: in reading order.
        tables: in reading order.
    """

    pictures: tuple[VolumePicture, ...]
    plots: tuple[Plot, ...]
    tables: tuple[Table, ...]

    @classmethod
    def of(cls, measures: Measures, plots: Sequence[Plot], files: Sequence[Path]) -> VolumeSection | None:
        """Of a stack that was measured in space; None otherwise.

        Args:
            measures: of the phase.
            plots: all of the phase.
            files: pictures in space and of the middle planes, each of which there may be.
        """
        if not measures.volume:
            return None
        told = zip(files, (_surface(measures), _planes(measures)), strict=False)
        pictures = [VolumePicture(*words, _as_webp(file)) for file, words in told if words and file.exists()]
        bodies = measures.bodies
        largest = () if bodies is None or not len(bodies) else (_largest_bodies(measures, bodies),)
        in_space = tuple(plot for plot in plots if plot.in_space)
        return cls(tuple(pictures), in_space, (_connections(measures), *largest))


def _as_webp(file: Path) -> bytes:
    with Image.open(file) as picture:
        return lossy(picture.convert("RGB"), _MOST_BYTES)


def _surface(measures: Measures) -> tuple[str, str] | None:
    """Title and caption of the picture in space; None where there is none."""
    cell = measures.volume.get("surface_cell")
    if cell is None:
        return None
    side, slices = cell
    what = measures.terms.phase if not measures.terms.is_pore else "pores"
    kept = "" if cell == [1, 1] else ", so that thinner ones can't be seen, nor how thin ones are connected"
    text = (
        f"Surfaces of the {what}, seen from above the first slice. It is drawn from a copy whose cells are "
        f"{side} × {side} px × {slices} slice{'s' if slices > 1 else ''}{kept}; a cell is inside where half of it is."
    )
    return "The volume", text


def _planes(measures: Measures) -> tuple[str, str]:
    what = "pores" if measures.terms.is_pore else measures.terms.phase
    return "Planes through the middle", f"The slice in the middle, and the planes across it: {what} over grey."


def _connections(measures: Measures) -> Table:
    """How the voxels of the phase are connected."""
    terms, volume = measures.terms, measures.volume
    found, shifts = mapping(volume.get("connectivity")), mapping(volume.get("shifts"))
    along = {axis: mapping(found.get(axis)) for axis in "xyz"}
    thing = terms.thing
    values: dict[str, Any] = {
        "Slices": volume.get("slices"),
        "Slice spacing": quantity(volume.get("slice_spacing_nm"), "nm"),
        f"3-D {terms.things}": found.get("pores"),
        f"{thing.capitalize()} volume": _rounded(volume.get("pore_volume_um3"), "µm³"),
        f"Share of the {thing} volume in the largest {thing}": percent_or_none(found.get("largest_share")),
        f"Share in {terms.things} that reach no face": percent_or_none(found.get("isolated_share")),
        **{
            f"Connected fraction along {axis}": percent_or_none(one.get("percolating_share"))
            for axis, one in along.items()
        },
        "Shift of neighbouring slices, median": _rounded(shifts.get("median_px"), "px"),
    }
    rows = tuple((name, text_of(value)) for name, value in values.items() if value is not None)
    caption = (
        f"Voxels that touch at faces, edges or corners are one {thing}. The connected fraction is the share of "
        f"{measures.its_volume} in {terms.things} that reach both faces across the axis."
    )
    return Table("Connections", caption, ("measure", "value"), rows)


def _rounded(value: float | None, unit: str) -> str | None:
    return None if value is None else with_unit(number(value), unit)


def _largest_bodies(measures: Measures, bodies: pd.DataFrame) -> Table:
    """Of the 3-D objects, each once, whatever the number of slices that it crosses."""
    scale, largest = measures.body_scale, bodies.nlargest(_LARGEST, "volume_voxels")
    rows, boxes = [], []
    for body in largest.to_dict("records"):
        first, last = int(body["bbox_slice"]), int(body["bbox_slice"] + body["slices"] - 1)
        cut = any(body[f"touches_{axis}_{end}"] for axis in "xyz" for end in ("min", "max"))
        voxels = {"volume (voxels)": whole(body["volume_voxels"])}
        rows.append(
            {
                measures.terms.thing: str(body["pore"]),
                "slices": f"{first + 1} to {last + 1}" if last > first else str(first + 1),
                **({"volume (µm³)": number(body["volume_um3"])} if "volume_um3" in body else voxels),
                f"diameter ({scale.unit})": number(body["equivalent_diameter_px"] * scale.per_px),
                **centroid(body),
                "cut by border": "yes" if cut else "no",
            }
        )
        middle = [one for one in measures.pictured_slices if first <= one <= last]
        boxes.append(Box.of(body, middle[len(middle) // 2]) if middle else None)
    share = largest["volume_voxels"].sum() / bodies["volume_voxels"].sum()
    things, file = measures.terms.things, f"{measures.terms.table}_3d.csv"
    cubes = f"; {measures.voxels_as_cubes}" if measures.voxels_as_cubes else ""
    caption = (
        f"The {len(largest)} largest 3-D {things}, each listed once, hold {percent(share)} of {measures.its_volume}; "
        f"the diameter is that of a sphere of the same volume{cubes}. The first and the last slice are "
        f"borders, too. The frame in the picture encloses all slices of the {measures.terms.thing}. Numbers are those "
        f"of {file}. Slices count from 1 (in {file} from 0)."
    )
    return listed(f"Largest {things}", caption, rows, boxes)
