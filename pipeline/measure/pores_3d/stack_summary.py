"""Everything that is measured on a stack as a volume."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.engine import ScanStore
from pipeline.files import write_error
from pipeline.images.volume import ScanVolume
from pipeline.measure.object_files import PORE_FILES, ObjectFiles
from pipeline.measure.pores_3d.alignment import SliceShifts, imaged_region, slice_shifts
from pipeline.measure.pores_3d.connectivity import Connectivity, connectivity
from pipeline.measure.pores_3d.labelling import LABELS, counted_from, label_volume, write_labels
from pipeline.measure.pores_3d.planes import write_volume_figure
from pipeline.measure.pores_3d.pore_table_3d import VOLUME_CSV, VOLUME_PARQUET, Voxel, write_volume_table
from pipeline.measure.pores_3d.surface import write_surface_figure
from pipeline.phase_colours import PORE_COLOUR, RGB
from pipeline.phases import PORE

logger = logging.getLogger("vlsenet")

VOLUME_FIGURE, SURFACE_FIGURE = PORE_FILES.volume, PORE_FILES.surface
#: all files that `measure_stack` may write, in the folder of the results
VOLUME_FILES = (VOLUME_CSV, VOLUME_PARQUET, LABELS, VOLUME_FIGURE, SURFACE_FIGURE)

#: larger shifts of neighbouring slices (px) are reported: they break pores of a few pixels' width into pieces
_SHIFTED_PX = 2.0
#: stacks thinner than this share of their shorter side are reported
_THIN = 0.25


@dataclass(frozen=True)
class StackSummary:
    """What was measured on a stack as a volume.

    Attributes:
        slices: number of slices.
        pixel_size_nm: side of a pixel (nm), if known.
        slice_spacing_nm: distance of slices (nm), if known.
        pore_volume_um3: of all pores, where both are known.
        connectivity: porosity and connected fractions.
        shifts: of neighbouring slices.
        caveats: what a reader of the numbers must know, as sentences.
        surface_cell: side (px) and slices of a cell of the picture in space; None: there is none.
    """

    slices: int
    pixel_size_nm: float | None
    slice_spacing_nm: float | None
    pore_volume_um3: float | None
    connectivity: Connectivity
    shifts: SliceShifts
    caveats: tuple[str, ...]
    surface_cell: tuple[int, int] | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None where something is not known."""
        return {**asdict(self), "caveats": list(self.caveats)}


def measure_stack(
    folder: Path,
    volume: ScanVolume,
    store: ScanStore,
    *,
    rock_voxels: int,
    pixel_size_nm: float | None = None,
    slice_spacing_nm: float | None = None,
    labels: bool = False,
    progress: Callable[[int], None] | None = None,
    phase: str = PORE,
    files: ObjectFiles = PORE_FILES,
    colour: RGB = PORE_COLOUR,
    shifts: SliceShifts | None = None,
) -> StackSummary:
    """Measure the pores of a segmented stack in space, and write ``pores_3d.csv``, ``pores_3d.parquet``,
    ``figures/volume.png``, ``figures/volume_surface.png`` and, if asked, ``labels.nii.gz``.

    docs/measurements.md defines the quantities. Slices are taken as they lie: none is registered to the next.

    Args:
        folder: of the files.
        volume: the stack, of two slices or more.
        store: its finished segmentation, with the pyramid.
        rock_voxels: of rock, its pores included (`Porosity.rock`).
        pixel_size_nm: side of a pixel (nm), if known.
        slice_spacing_nm: distance of slices (nm), if known; only with both there are volumes in cubic micrometres.
        labels: write the labelled volume too, which takes a second pass.
        progress: called with the number of slices that are finished since the last call.
        phase: whose objects they are, for the picture.
        files: names of the files.
        colour: of the phase in the picture.
        shifts: of neighbouring slices, where another phase of the stack was measured before; None: they are measured,
            and what a reader must know is logged.

    Raises:
        UserError: an impossible size, a chunk or slice that can't be read, or the disk is full or refuses.
    """
    voxel = Voxel.known(pixel_size_nm, slice_spacing_nm)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix=".labels-", dir=folder) as waiting:
            records = label_volume(store, Path(waiting) if labels else None, progress=progress)
            if labels:
                sides = {"pixel_size_nm": pixel_size_nm, "slice_spacing_nm": slice_spacing_nm}
                write_labels(store, folder / files.labels, Path(waiting), **sides)
    except OSError as error:
        raise write_error(folder / files.labels if labels else folder, error) from error
    region = imaged_region(store.plan, volume)
    shape = (volume.depth, region.height, region.width)
    records = counted_from(records, region.y - store.plan.region.y)
    write_volume_table(records, folder, region, voxel, shape, files.bodies)
    write_volume_figure(folder / files.volume, volume, store, voxel, phase, colour)
    surface_cell = write_surface_figure(folder / files.surface, volume, store, voxel, colour)
    connected = connectivity(records, shape, rock_voxels)
    found = slice_shifts(volume, region) if shifts is None else shifts
    caveats = _caveats(shape, voxel, found)
    for caveat in caveats if shifts is None else ():
        logger.warning("%s: %s", volume.path, caveat)
    return StackSummary(
        slices=volume.depth,
        pixel_size_nm=pixel_size_nm,
        slice_spacing_nm=slice_spacing_nm,
        pore_volume_um3=None if voxel is None else connected.pore_voxels * voxel.um3,
        connectivity=connected,
        shifts=found,
        caveats=caveats,
        surface_cell=surface_cell,
    )


def _caveats(shape: tuple[int, int, int], voxel: Voxel | None, shifts: SliceShifts) -> tuple[str, ...]:
    found = []
    # cubic voxels, as the formats take them, where they are not known
    thickness = shape[0] * (1.0 if voxel is None else voxel.slice_nm / voxel.pixel_nm)
    if thickness < _THIN * min(shape[1:]):
        found.append(
            f"The stack is thin: its {shape[0]} slices are as thick as {thickness:.3g} pixels are wide, but it is "
            f"{shape[2]} x {shape[1]} pixels. Single pores reach through it, so the connected fraction along z must "
            "not be compared with those along x and y."
        )
    if shifts.median_px is None:
        found.append(
            f"Neighbouring slices have too little in common to show whether they are aligned ({shifts.pairs} pairs "
            "compared): connections from slice to slice may be chance."
        )
    elif shifts.median_px > _SHIFTED_PX:
        found.append(
            f"Neighbouring slices are shifted against each other by {shifts.median_px:.1f} px (median of "
            f"{shifts.pairs - shifts.unlike} pairs, largest {shifts.largest_px:.1f} px). Slices are not registered "
            "here: align the stack first; otherwise 3-D pores and connected fractions are too small."
        )
    if voxel is None:
        found.append(
            "Pixel size or distance of slices is not known: volumes are in voxels (give --pixel_size_nm and "
            "--slice_spacing_nm)."
        )
    return tuple(found)
