"""The names of the files in which the objects of a phase are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.files import name_that_fits
from pipeline.phases import PORE


@dataclass(frozen=True)
class ObjectFiles:
    """Files of one phase, in the folder of the results.

    Attributes:
        table: without suffix: a CSV and a Parquet file of all objects of every slice.
        bodies: without suffix: the same of the objects of a stack in space.
        labels: NIfTI of a stack, the number of its object in each voxel.
        volume: picture of a stack, its middle planes.
        surface: picture of a stack in space.
        figures: what the names of figures begin with.

    The files of `vlsenet convert` follow from the table's name: `numbered`, a label image of the table's numbers, and
    the outlines `geojson` and `rois`.
    """

    table: str = "pores"
    bodies: str = "pores_3d"
    labels: str = "labels.nii.gz"
    volume: str = "figures/volume.png"
    surface: str = "figures/volume_surface.png"
    figures: str = ""

    @property
    def numbered(self) -> str:
        """Label image in which a pixel has the number of its object's row in the table."""
        return f"{self.table}_numbered.ome.tif"

    @property
    def geojson(self) -> str:
        """Outlines for QuPath."""
        return f"{self.table}.geojson"

    @property
    def rois(self) -> str:
        """Outlines for ImageJ and Fiji."""
        return f"{self.table}_rois.zip"

    @property
    def names(self) -> tuple[str, ...]:
        """All that may be written, but for the figures of a report."""
        tables = (f"{stem}.{suffix}" for stem in (self.table, self.bodies) for suffix in ("csv", "parquet"))
        return (*tables, self.labels, self.volume, self.surface)


#: bytes of a phase's name in those of its files, which add some twenty
_LONGEST = 100
#: of pores
PORE_FILES = ObjectFiles()
#: what the files of the other phases are called, whatever their names
PATTERNS = (
    "objects_*.csv",
    "objects_*.parquet",
    "objects_*_numbered.ome.tif",
    "objects_*.geojson",
    "objects_*_rois.zip",
    "labels_*.nii.gz",
    "figures/*_volume.png",
    "figures/*_volume_surface.png",
)


def object_files(phases: Sequence[str]) -> list[ObjectFiles]:
    """The files of each phase: those of pores, and ``objects_silt_grain.csv`` and the like of the others.

    Letters that some disk or shell may not take become `_`, and names that would then be the same get a number.
    """
    taken: set[str] = set()
    found = []
    for phase in phases:
        if phase == PORE:
            found.append(PORE_FILES)
            continue
        plain = name_that_fits(re.sub(r"\W+", "_", phase).strip("_") or "phase", longest=_LONGEST)
        name, number = plain, 2
        while name.casefold() in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name.casefold())
        table = f"objects_{name}"
        planes, surface = (f"figures/{name}_{what}.png" for what in ("volume", "volume_surface"))
        found.append(ObjectFiles(table, f"{table}_3d", f"labels_{name}.nii.gz", planes, surface, f"{name}_"))
    return found
