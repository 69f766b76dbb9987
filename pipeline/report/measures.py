"""What was measured on a scan, as the texts, tables and figures of its report read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.engine import BlockCounts, ScanStore
from pipeline.measure.pore_statistics import (
    OrientationRose,
    RepresentativeArea,
    SizeDistribution,
    Survey,
    border_weights,
    orientation_rose,
    representative_area,
    size_distribution,
    survey,
)
from pipeline.measure.pores_2d.pore_table import COLUMNS
from pipeline.measure.porosity import Porosity
from pipeline.phase_colours import PORE_COLOUR, RGB
from pipeline.report.terms import Terms
from pipeline.report.units import Scale
from pipeline.tiling.chunk_plan import ChunkPlan

#: the table of a phase whose objects are not listed
NO_OBJECTS = pd.DataFrame({column.name: pd.Series(dtype=column.kind) for column in COLUMNS})
#: smaller pores (px²) have a shape and a direction that come from the pixel grid more than from the pore
SHAPE_AREA_PX = 20
#: objects of which a report tells sizes; of fewer, D10 and D90 would be the smallest and the largest
ENOUGH_OBJECTS = 10
#: slices of a stack that the report has pictures of at most, but for the one that is shown first
_PICTURED = 40


@dataclass(frozen=True)
class Measures:
    """What was measured of pores, or of another phase of a scan; what is said of pores here holds for any.

    Attributes:
        store: finished, with its pyramid; of several phases, as it is read for this one (`phase_view`).
        blocks: pore and rock pixels of each block (`block_counts`).
        porosity: of the scan.
        table: of its pores, as in ``pores.parquet``; its columns in pixels are read. `NO_OBJECTS` where there is none.
        manifest: as in ``manifest.json``; missing entries are skipped. ``reads_prompt``: whether a prompt changes what
            the model says.
        pixel_size_nm: side of a pixel (nm), if known.
        min_area_px: smallest pore in the table (px²).
        dropped: number of smaller pores, if known.
        acquisition: how the image was taken (`Acquisition.to_dict`), if known.
        bodies: of a stack, the table of its 3-D pores, as in ``pores_3d.parquet``; None: the largest sections are
            listed, of which a pore has several.
        shown_slice: number of the slice that pictures and map show, from 0.
        terms: what the phase and its objects are called.
        colour: of the phase in pictures.
        note: why there is no table, as a sentence.
        imaged_height: rows of the segmented region that are imaged (px); None: all.
        volume_files: of a stack, pictures in space and of the middle planes, each of which there may be.
        surveyed: its survey, where that was begun before; None: it is made when it is asked for.
    """

    store: ScanStore
    blocks: BlockCounts
    porosity: Porosity
    table: pd.DataFrame
    manifest: Mapping[str, Any]
    pixel_size_nm: float | None
    min_area_px: int
    dropped: int | None = None
    acquisition: Mapping[str, Any] | None = None
    bodies: pd.DataFrame | None = None
    shown_slice: int = 0
    terms: Terms = Terms()  # noqa: RUF009 - immutable
    colour: RGB = PORE_COLOUR
    note: str | None = None
    imaged_height: int | None = None
    volume_files: tuple[Path, ...] = ()
    surveyed: Future[Survey] | None = None

    @property
    def plan(self) -> ChunkPlan:
        """The chunks of the segmentation."""
        return self.store.plan

    @cached_property
    def survey(self) -> Survey:
        """Statistics of the pixels; the mask is read for them, of large scans only a part."""
        return survey(self.store, self.blocks.rock) if self.surveyed is None else self.surveyed.result()

    @property
    def threshold(self) -> float | None:
        """Probability from which a pixel is pore, if known."""
        request = self.manifest.get("request")
        threshold = request.get("threshold") if isinstance(request, Mapping) else None
        if isinstance(request, Mapping) and isinstance(threshold, Sequence):
            threshold = threshold[list(request["phases"]).index(self.terms.phase)]
        return None if threshold is None else float(threshold)

    @property
    def otsu_porosity(self) -> float | None:
        """Of pores: porosity by Otsu's threshold, where it was taken."""
        share = (self.manifest.get("familiarity") or {}).get("otsu_porosity")
        return float(share) if self.terms.is_pore and share is not None else None

    @property
    def is_one_of_several(self) -> bool:
        """Whether pixels that reach the threshold may be of another phase."""
        request = self.manifest.get("request")
        return isinstance(request, Mapping) and len(request.get("phases", ())) > 1

    @property
    def listed(self) -> bool:
        """Whether its objects were measured."""
        return self.note is None

    @property
    def is_stack(self) -> bool:
        """Whether there are several slices: the rows of the table are sections, of which a pore has several."""
        return self.plan.shape[0] > 1

    @property
    def rows_are(self) -> str:
        """What the rows of the table are called."""
        return "sections" if self.is_stack else self.terms.things

    @property
    def its_area(self) -> str:
        """The area of the phase, in words."""
        return "the pore area" if self.terms.is_pore else "its area"

    @property
    def its_volume(self) -> str:
        """The volume of the phase, in words."""
        return "the pore volume" if self.terms.is_pore else "its volume"

    @property
    def shown(self) -> str:
        """Which slice is shown, of a stack; else empty."""
        return slice_shown(self.shown_slice, self.plan.depth)

    @cached_property
    def whole_pores(self) -> pd.DataFrame:
        """Pores that no border cuts: those whose size is known."""
        return self.table[~self.table["touches_border"].to_numpy(bool)]

    @cached_property
    def shaped_pores(self) -> pd.DataFrame:
        """Whole pores that are large enough to have a shape."""
        return self.whole_pores[self.whole_pores["area_px"] >= SHAPE_AREA_PX]

    @cached_property
    def scale(self) -> Scale:
        """The unit of lengths: it suits the median pore."""
        diameters = self.table["equivalent_diameter_px"]
        return Scale.fitting(self.pixel_size_nm, float(diameters.median()) if len(diameters) else float("nan"))

    @property
    def field_scale(self) -> Scale:
        """The unit of places in the scan and of fields of view: micrometres, or pixels."""
        return Scale.fitting(self.pixel_size_nm, float("inf"))

    @cached_property
    def sizes(self) -> SizeDistribution | None:
        """Of the whole pores, in the unit of the scale; None without one."""
        pores = self.whole_pores
        if not len(pores):
            return None
        return size_distribution(
            self.scale.lengths(pores["equivalent_diameter_px"].to_numpy()), pores["area_px"].to_numpy()
        )

    @property
    def told_sizes(self) -> SizeDistribution | None:
        """As `sizes`, for a report; None of fewer than `ENOUGH_OBJECTS`."""
        return self.sizes if len(self.whole_pores) >= ENOUGH_OBJECTS else None

    @cached_property
    def border_weights(self) -> np.ndarray:
        """How many pores each whole pore stands for, as the border cuts others of its size."""
        pores = self.whole_pores
        return border_weights([pores[f"bbox_{side}_px"].to_numpy() for side in ("height", "width")], self._field[1:])

    @property
    def _field(self) -> tuple[int, int, int]:
        """Slices, rows and columns in which objects may lie whole."""
        depth, high, wide = self.plan.shape
        return depth, self.imaged_height or high, wide

    @cached_property
    def corrected_sizes(self) -> SizeDistribution | None:
        """As `sizes`, with the border's effect taken out; None where the border cuts no pore, or all."""
        pores = self.whole_pores
        if not len(pores) or len(pores) == len(self.table):
            return None
        diameters = self.scale.lengths(pores["equivalent_diameter_px"].to_numpy())
        return size_distribution(diameters, pores["area_px"].to_numpy(), self.border_weights)

    @property
    def volume(self) -> Mapping[str, Any]:
        """What was measured in space, as `StackSummary.to_dict` has it; empty where nothing was."""
        found = self.manifest.get("volume") if self.is_stack else None
        return found if isinstance(found, Mapping) else {}

    @cached_property
    def whole_bodies(self) -> pd.DataFrame | None:
        """3-D objects that reach no face of the stack; None where none are listed."""
        if self.bodies is None:
            return None
        faces = [name for name in self.bodies.columns if name.startswith("touches_")]
        return self.bodies[~self.bodies[faces].to_numpy(bool).any(axis=1)]

    @cached_property
    def body_scale(self) -> Scale:
        """The unit of the 3-D objects' diameters: pixels, each voxel as a cube, where a side of voxels is not known."""
        known = self.bodies is not None and "volume_um3" in self.bodies
        return self.scale if known else Scale("px", 1.0)

    @property
    def voxels_as_cubes(self) -> str:
        """What lengths in the volume rest on, in words, where a side of voxels is not known; else empty."""
        if self.bodies is None or "volume_um3" in self.bodies:
            return ""
        lacking = "pixel size" if self.pixel_size_nm is None else "distance of slices"
        return f"voxels count as cubes, as the {lacking} is not known"

    def body_sizes(self, corrected: bool = False) -> SizeDistribution | None:
        """Of the whole 3-D objects, by number and volume, in the unit `body_scale`; None of few (`ENOUGH_OBJECTS`).

        Args:
            corrected: with the effect of the stack's faces taken out; None where they cut no object.
        """
        whole = self.whole_bodies
        if whole is None or self.bodies is None or len(whole) < ENOUGH_OBJECTS:
            return None
        if corrected and len(whole) == len(self.bodies):
            return None
        sides = [whole[name].to_numpy() for name in ("slices", "bbox_height_px", "bbox_width_px")]
        return size_distribution(
            self.body_scale.lengths(whole["equivalent_diameter_px"].to_numpy()),
            whole["volume_voxels"].to_numpy(),
            border_weights(sides, self._field) if corrected else None,
        )

    @property
    def cut_volume_share(self) -> float:
        """Share of the volume in 3-D objects that reach a face of the stack; NaN where none are listed."""
        if self.bodies is None or self.whole_bodies is None or not len(self.bodies):
            return float("nan")
        return 1 - float(self.whole_bodies["volume_voxels"].sum() / self.bodies["volume_voxels"].sum())

    @cached_property
    def pictured_slices(self) -> tuple[int, ...]:
        """The slices that the report has pictures of, from 0, ascending; the one that is shown first is among them."""
        return slices_pictured(self.shown_slice, self.plan.depth)

    @cached_property
    def rose(self) -> OrientationRose | None:
        """Of the shaped pores, weighted by area; None without one, and drawn of `ENOUGH_OBJECTS` at least."""
        pores = self.shaped_pores
        pores = pores[np.isfinite(pores["orientation_deg"])]
        if not len(pores):
            return None
        # fields of view are as thick as wide: more slices than nearly every pore spans
        slab = self.porosity.thickness
        return orientation_rose(pores["orientation_deg"].to_numpy(), pores["area_px"].to_numpy(), slab)

    @cached_property
    def representative(self) -> RepresentativeArea:
        """From the survey's fine cells, or from the blocks of the plan where only a part of the scan was read."""
        if self.survey.pore is not None and self.survey.rock is not None:
            counts = self.survey.pore, self.survey.rock, self.survey.cell
        else:
            counts = self.blocks.pore, self.blocks.rock, self.plan.block
        return representative_area(*counts, self.porosity.spacing)

    @property
    def intercept_ratio(self) -> float:
        """Mean intercept length along x over that along y."""
        x, y = self.survey.chords_x.mean_intercept, self.survey.chords_y.mean_intercept
        return x / y if y else float("nan")

    @property
    def cut_area_share(self) -> float:
        """Share of the table's pore area in pores that a border cuts."""
        area = self.table["area_px"].sum()
        return 1 - float(self.whole_pores["area_px"].sum() / area) if area else float("nan")

    @property
    def small_area_share(self) -> float:
        """Share of the table's pore area in pores without a reliable shape."""
        area = self.table["area_px"]
        return float(area[area < SHAPE_AREA_PX].sum() / area.sum()) if area.sum() else float("nan")

    def porosity_at(self, threshold: float) -> float:
        """Share of the surveyed rock whose 8-bit probability reaches a threshold."""
        counts = self.survey.probabilities
        return float(counts[np.arange(256) >= threshold * 255].sum() / counts.sum()) if counts.sum() else float("nan")


def slice_shown(shown: int, depth: int) -> str:
    """Which slice is shown, of a stack of this depth; else empty."""
    return f"slice {shown + 1} of {depth}" if depth > 1 else ""


def slices_pictured(shown: int, depth: int) -> tuple[int, ...]:
    """The slices that a report has pictures of, from 0, ascending; the one that is shown first is among them."""
    spread = np.linspace(0, depth - 1, min(depth, _PICTURED)).round().astype(int).tolist()
    return tuple(sorted({*spread, shown}))
