"""What is measured of one phase, of a segmented scan or of a mask from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline.api.given import mask_given, plain
from pipeline.api.python_wording import says_in_python
from pipeline.api.scan_options import check_argument
from pipeline.api.stored_array import StoredArray
from pipeline.engine import build_pyramid
from pipeline.engine.memory_store import MemoryStore
from pipeline.engine.store import MASK, PROBABILITY
from pipeline.errors import UserError
from pipeline.images.volume import volume_of_array
from pipeline.measure.pore_statistics import Chords, OrientationRose, RepresentativeArea, SizeDistribution, TwoPoint
from pipeline.measure.pores_2d import MIN_AREA_PX, StoredSegmentation, measured_pores
from pipeline.measure.pores_3d import VOLUME_PARQUET, measure_stack
from pipeline.measure.table_files import read_table
from pipeline.phases import PORE
from pipeline.report import Measures
from pipeline.report.terms import Terms
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.workflows.scan.segmented import SegmentedPhase, SegmentedScan, segmented_phases

#: a mask's mean probability says nothing
_NOT_OF_MASKS = ("mean_probability",)


class Measured:
    """What is known of one phase: its share of the rock, its pores or objects, and their statistics.

    All is computed when it is first asked for, by what the reports of the commands use. Lengths are in pixels (px)
    unless the name says otherwise; x goes along the columns, y along the rows.

    Attributes:
        name: of the phase, such as `pore`.
        pixel_size_nm: side of a pixel (nm); None: not known.
    """

    def __init__(
        self,
        scan: SegmentedScan,
        phase: SegmentedPhase,
        manifest: Mapping[str, Any],
        min_area_px: int,
        has_probability: bool = True,
    ) -> None:
        self.name, self.pixel_size_nm = phase.name, scan.pixel_size_nm
        self._scan, self._phase, self._manifest = scan, phase, manifest
        self._min_area_px, self._has_probability = min_area_px, has_probability

    def __repr__(self) -> str:
        return f"<vlsenet.Measured: {self.name}, {self._phase.porosity}>"

    def _repr_html_(self) -> str:
        from pipeline.api.notebook import card

        return card(self._scan, [self._measures], self.name)

    @property
    def fraction(self) -> float:
        """Pixels of the phase over those of rock (0 to 1); NaN where there is no rock."""
        return self._phase.porosity.porosity

    @property
    def porosity(self) -> float:
        """As `fraction`, of the phase pore.

        Raises:
            UserError: it is another phase.
        """
        if self.name != PORE:
            raise UserError(f"{self.name} is no pore: its share of the rock is its fraction")
        return self.fraction

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the fraction; None where there is none: fewer than two fields of view hold rock."""
        low, high = self._phase.porosity.interval
        return (float(low), float(high)) if np.isfinite(low) else None

    @property
    def interval_is_of(self) -> str:
        """What the interval is of: `sampling and model`, or `sampling alone`, where the model's error is not known."""
        return "sampling alone" if self._phase.porosity.model_error is None else "sampling and model"

    @cached_property
    def mask(self) -> np.ndarray:
        """Where the phase is, boolean: (H, W), of a stack (D, H, W); of the region of interest."""
        return np.asarray(self.lazy_mask) > 0

    @property
    def lazy_mask(self) -> StoredArray:
        """The mask, 0 or 255, uint8, of which only what is asked for is read; see `StoredArray`."""
        return StoredArray(self._phase.store, MASK)

    @cached_property
    def probability(self) -> np.ndarray:
        """Probability of the phase, float32, 0 to 1 in steps of 1/255, of the mask's shape; 0 where there is no rock.

        Raises:
            UserError: of a mask from elsewhere, nothing is known of it.
        """
        return np.asarray(self.lazy_probability).astype(np.float32) / np.float32(255)

    @property
    def lazy_probability(self) -> StoredArray:
        """The probability, 0 to 255, uint8, of which only what is asked for is read; see `StoredArray`."""
        if not self._has_probability:
            raise UserError("a mask has no probability; Model.predict and Model.segment give one")
        return StoredArray(self._phase.store, PROBABILITY)

    @cached_property
    @says_in_python
    def _table(self) -> tuple[pd.DataFrame, int]:
        stored = StoredSegmentation(self._phase.store, self._scan.volume.rows)
        table, summary = measured_pores(stored, pixel_size_nm=self.pixel_size_nm, min_area_px=self._min_area_px)
        return (table if self._has_probability else table.drop(columns=list(_NOT_OF_MASKS))), summary.dropped

    @property
    def pores(self) -> pd.DataFrame:
        """A row for each pore, or object of another phase, as in `pores.csv`; of a stack for each of their sections.

        Columns end in their unit (`area_px`, `feret_max_um`); docs/measurements.md defines them.
        """
        return self._table[0]

    @cached_property
    def pores_3d(self) -> pd.DataFrame:
        """Of a stack, a row for each pore in space, as in `pores_3d.csv`.

        Raises:
            UserError: it is a single image.
        """
        return self._in_space[1]

    @cached_property
    @says_in_python
    def _in_space(self) -> tuple[dict[str, Any], pd.DataFrame]:
        if not self._is_stack:
            raise UserError("pores_3d: it is a single image, not a stack of slices")
        with TemporaryDirectory(prefix="vlsenet-volume-") as folder:
            found = measure_stack(
                Path(folder),
                self._scan.volume,
                self._phase.store,
                rock_voxels=self._phase.porosity.rock,
                **self._scan.sizes,
                phase=self.name,
            )
            return found.to_dict(), read_table(Path(folder) / VOLUME_PARQUET)

    @property
    def _is_stack(self) -> bool:
        return self._scan.volume.depth > 1

    @cached_property
    def _measures(self) -> Measures:
        return Measures(
            store=self._phase.store,
            blocks=self._phase.blocks,
            porosity=self._phase.porosity,
            table=self.pores,
            manifest={**self._manifest, "volume": self._in_space[0] if self._is_stack else None},
            pixel_size_nm=self.pixel_size_nm,
            min_area_px=self._min_area_px,
            dropped=self._table[1],
            acquisition=self._scan.volume.acquisition.to_dict(),
            bodies=self.pores_3d if self._is_stack else None,
            shown_slice=self._scan.volume.depth // 2,
            terms=Terms(self.name, self._is_stack),
            colour=self._phase.colour,
            imaged_height=self._scan.volume.rows.within(self._scan.store.plan.region).height,
        )

    @property
    def sizes(self) -> SizeDistribution | None:
        """Distribution of the equivalent diameters of whole pores (px), by number and by area; None without a pore."""
        measures = self._measures
        return replace(measures, pixel_size_nm=None).sizes if len(measures.whole_pores) else None

    @property
    def corrected_sizes(self) -> SizeDistribution | None:
        """As `sizes`, with the border's effect taken out: each whole pore counts for as many as it stands for
        (Miles-Lantuéjoul). None where the border cuts none, or all."""
        return replace(self._measures, pixel_size_nm=None).corrected_sizes

    @property
    def orientation(self) -> OrientationRose | None:
        """Directions of the long axes of whole pores of 20 px² and more; None without one."""
        return self._measures.rose

    @property
    def chords(self) -> tuple[Chords, Chords]:
        """Chord lengths (px) along x and along y."""
        return self._measures.survey.chords_x, self._measures.survey.chords_y

    @property
    def two_point(self) -> tuple[TwoPoint, TwoPoint]:
        """Two-point probability S2 along x and along y."""
        return self._measures.survey.two_point_x, self._measures.survey.two_point_y

    @property
    def representative_area(self) -> RepresentativeArea:
        """Spread of the fraction among fields of growing size."""
        return self._measures.representative

    def summary(self) -> pd.Series:
        """The most important numbers by name; a name ends in its unit, and NaN is what can't be said."""
        low, high = self.interval or (np.nan, np.nan)
        sizes, rose = self.sizes, self.orientation
        scale, unit = (1.0, "px") if self.pixel_size_nm is None else (self.pixel_size_nm / 1000, "um")
        (chords_x, chords_y), (pairs_x, pairs_y) = self.chords, self.two_point
        lengths = {
            "median_diameter": np.nan if sizes is None else sizes.number_percentiles[1],
            "median_diameter_by_area": np.nan if sizes is None else sizes.area_percentiles[1],
            "mean_intercept_x": chords_x.mean_intercept,
            "mean_intercept_y": chords_y.mean_intercept,
            "correlation_length_x": pairs_x.correlation_length,
            "correlation_length_y": pairs_y.correlation_length,
            "representative_side": self.representative_area.representative_side,
        }
        return pd.Series(
            {
                "porosity" if self.name == PORE else "fraction": self.fraction,
                "interval_95_low": low,
                "interval_95_high": high,
                "rock_px": self._phase.porosity.rock,
                "pores": len(self.pores),
                **{f"{name}_{unit}": value * scale for name, value in lengths.items()},
                "resultant_length": np.nan if rose is None else rose.resultant_length,
                "direction_deg": np.nan if rose is None else rose.mean_deg,
            },
            name=self.name,
            dtype=float,
        )


@says_in_python
def measure(
    mask: np.ndarray | torch.Tensor,
    *,
    value: int | None = None,
    rock: np.ndarray | torch.Tensor | None = None,
    pixel_size_nm: float | None = None,
    slice_spacing_nm: float | None = None,
    min_pore_area_px: int = MIN_AREA_PX,
    phase: str = PORE,
) -> Measured:
    """Measure the pores of a mask from anywhere: porosity, table of pores, statistics, as of a segmented scan.

    Args:
        mask: (H, W), or of a stack (D, H, W), NumPy or torch; pore is what is not 0 ...
        value: ... or what has this value, in an image of labels.
        rock: where there is rock, truth values of the same shape; None: everywhere.
        pixel_size_nm: side of a pixel (nm); None: lengths are in pixels alone.
        slice_spacing_nm: distance of the slices of a stack (nm).
        min_pore_area_px: smallest pore in the table (px); the porosity counts them all.
        phase: what is measured, for the names of the numbers.

    Raises:
        UserError: another shape, or an impossible size.
    """
    pores = mask_given(mask, "mask", value)
    counted = None if rock is None else mask_given(rock, "rock")
    if counted is not None and counted.shape != pores.shape:
        raise UserError(f"rock has the shape {counted.shape}, but the mask {pores.shape}; give the same")
    pixel_size_nm, slice_spacing_nm, min_pore_area_px = map(plain, (pixel_size_nm, slice_spacing_nm, min_pore_area_px))
    if isinstance(pixel_size_nm, str):
        raise UserError(f"pixel_size_nm={pixel_size_nm!r}: give a number (nm); a mask shows no scale bar")
    check_argument("pixel_size_nm", pixel_size_nm)
    check_argument("slice_spacing_nm", slice_spacing_nm)
    check_argument("min_pore_area_px", min_pore_area_px)
    if not isinstance(phase, str) or not phase.strip():
        raise UserError(f"phase={phase!r}: give its name, such as {PORE!r}")
    depth, height, width = pores.shape
    plan = ChunkPlan(height, width, depth)
    store = MemoryStore(plan)
    entries = {}
    for index in range(len(plan)):
        chunk = plan[index]
        place = chunk.slice, slice(chunk.y, chunk.y + chunk.height), slice(chunk.x, chunk.x + chunk.width)
        there = None if counted is None else counted[place]
        entries[index] = store.write_chunk(index, pores[place][None].astype(np.float32), [0.5], there)
    build_pyramid(store)
    known = None not in (pixel_size_nm, slice_spacing_nm)
    spacing = slice_spacing_nm / pixel_size_nm if known else 1.0  # type: ignore[operator]
    (found,) = segmented_phases(store, entries, spacing, why_none="nothing is known of how the mask was made")
    volume = volume_of_array(pores.astype(np.uint8) * np.uint8(255), "mask")
    scan = SegmentedScan(volume, store, (replace(found, name=phase),), pixel_size_nm, slice_spacing_nm)
    return Measured(scan, scan.phases[0], {}, min_pore_area_px, has_probability=False)
