"""What is measured of a scan before it is segmented: grey levels, and where there is no rock."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.foreground.blank_edge import touched_cells, trace_blank_ground
from pipeline.foreground.blank_ground import packed_slices, unpacked_slices
from pipeline.foreground.cell_statistics import (
    is_of_a_part,
    measure_cells,
    needed_window,
    warn_of_unreadable,
    with_region_read,
)
from pipeline.foreground.intensity import Intensity, NothingToSee, scan_intensity
from pipeline.foreground.normalisation import GreyNormalisation
from pipeline.foreground.rock_mask import RockMask, find_empty_cells
from pipeline.foreground.shading import CELL, Shading, grouped_medians
from pipeline.images import ImageSource
from pipeline.images.rectangles import Part, Window
from pipeline.images.volume import ScanVolume
from pipeline.progress_bars import progress_bar
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows, at_network_scale

logger = logging.getLogger("vlsenet")

#: the shading is removed, left in, or both: the network sees the image twice
ShadingChoice = bool | str
BOTH = "both"

#: grey values that fix the mean of 8-bit rock to a small part of a grey level
_PIXELS = 1 << 24


@dataclass(frozen=True)
class SliceMeasurement:
    """What was found in one slice of a scan.

    Attributes:
        mask: where it shows rock.
        medians: grey levels of its cells, (rows, columns), NaN: no rock; None: they were not asked for.
        limits: lowest and highest grey level of its rock; None: it was not asked for, or there is none.
    """

    mask: RockMask
    medians: np.ndarray | None = None
    limits: tuple[float, float] | None = None

    @classmethod
    def at(
        cls, source: ImageSource, needed: Window | None, skip_empty: bool, flatten_shading: bool, first: int = 0
    ) -> SliceMeasurement:
        """Look at a slice: one pass over its pixels, or none where neither is asked for.

        Args:
            source: the slice.
            needed: where all pixels have to be readable; None: everywhere.
            skip_empty: look for empty ground.
            flatten_shading: measure the medians.
            first: its first row that is imaged; an info bar lies above.

        Raises:
            UserError: a part that is needed can't be read, or is NaN or infinite.
        """
        look = cls._at(source, needed, skip_empty, flatten_shading)
        if not first:
            return look
        if look.medians is not None:
            look.medians[: first // CELL] = np.nan
        return replace(look, mask=look.mask.below(first))

    @classmethod
    def _at(
        cls, source: ImageSource, needed: Window | None, skip_empty: bool, flatten_shading: bool
    ) -> SliceMeasurement:
        if not (skip_empty or flatten_shading):
            return cls(RockMask.everywhere(source.shape))
        cells = measure_cells(source, needed)
        unreadable = cells.unreadable if cells.unreadable.any() else None
        if not skip_empty:
            return cls(RockMask.everywhere(source.shape, unreadable), cells.median)
        blank = trace_blank_ground(source, cells)
        empty = find_empty_cells(cells, None if blank is None else touched_cells(blank))
        medians = cells.median
        medians[empty] = np.nan
        low, high = cells.lowest[~np.isnan(cells.lowest)], cells.highest[~np.isnan(cells.highest)]
        limits = (float(low.min()), float(high.max())) if len(low) else None
        return cls(RockMask(empty, source.shape, blank, unreadable), medians, limits)

    def intensity(self, source: ImageSource, windows: Windows, most_pixels: int) -> Intensity:
        """Mean and standard deviation of its rock, at the network's scale; see `scan_intensity`."""
        skip, imaged = partial(self.mask.is_empty_at, windows.scale), partial(self.mask.imaged_at, windows.scale)
        return scan_intensity(at_network_scale(source, windows), most_pixels, skip, imaged)


def measure_slice(
    source: ImageSource,
    windows: Windows,
    needed: Window | None,
    skip_empty: bool,
    flatten_shading: bool,
    most_pixels: int,
    first: int = 0,
) -> tuple[SliceMeasurement, Intensity | NothingToSee]:
    """What `SliceMeasurement.at` finds, and the rock's statistics over about `most_pixels`, or why there are none."""
    look = SliceMeasurement.at(source, needed, skip_empty, flatten_shading, first)
    try:
        return look, look.intensity(source, windows, most_pixels)
    except NothingToSee as error:
        return look, error
    except UserError:
        if needed is None or skip_empty or flatten_shading:
            raise
    # a part that the sample hit can't be read; which parts these are takes a pass over all pixels
    unreadable = SliceMeasurement.at(source, needed, False, True, first).mask
    return SliceMeasurement(unreadable), SliceMeasurement(unreadable).intensity(source, windows, most_pixels)


@dataclass(frozen=True)
class Foreground:
    """What was measured in the first pass over a scan.

    Attributes:
        normalisation: how the scan is normalised.
        masks: where each slice shows rock, as far as it is imaged; beyond that is an info bar.
    """

    normalisation: GreyNormalisation
    masks: tuple[RockMask, ...]

    @classmethod
    def measured(
        cls, volume: ScanVolume, windows: Windows, skip_empty: bool, flatten_shading: ShadingChoice
    ) -> Foreground:
        """Look through a scan: one pass over all pixels, or over a part of them where neither is asked for.

        What lies so far from the region of interest that the network does not look at it may be damaged, or hold NaN:
        it is left out, with a warning.

        Args:
            volume: the scan.
            windows: of its plan.
            skip_empty: look for empty ground.
            flatten_shading: measure the shading, to remove it, or to show the network the scan with and without it.

        Raises:
            UserError: a part can't be read, no rock was found, or all grey values are the same.
        """
        looks: list[SliceMeasurement] = []
        parts: list[Intensity] = []
        nothing: NothingToSee | None = None
        needed, share = needed_window(windows), max(1, _PIXELS // volume.depth)
        for index in progress_bar(
            range(volume.depth), unit="slice", desc="measuring grey levels", disable=volume.depth == 1, delay=2
        ):
            with volume.slice(index) as source:
                try:
                    look, intensity = measure_slice(
                        source, windows, needed, skip_empty, bool(flatten_shading), share, volume.rows.first
                    )
                except UserError as error:
                    if needed is None or not is_of_a_part(error):
                        raise
                    raise with_region_read(error, windows, needed) from error
            looks.append(look)
            if isinstance(intensity, NothingToSee):
                nothing = intensity  # one empty slice among others is no mistake
            else:
                parts.append(intensity)
        if nothing is not None and not parts:
            raise nothing
        pooled, shape = Intensity.pooled(parts), (volume.rows.stop, volume.shape[1])
        group, cell = _shading_cells(windows.scale)
        shading = tuple(
            Shading.from_medians(grouped_medians(look.medians, group), shape, pooled, cell)
            for look in looks
            if flatten_shading and look.medians is not None
        )
        normalisation = GreyNormalisation(pooled, shading, _limits(looks), flatten_shading == BOTH)
        foreground = cls(normalisation, tuple(look.mask for look in looks))
        warn_of_unreadable(volume.path, foreground.unreadable)
        return foreground

    @property
    def unreadable(self) -> np.ndarray:
        """(slices, rows, columns) of cells, True where the scan can't be read and need not be."""
        nowhere = np.zeros_like(self.masks[0].empty)
        return np.stack([nowhere if mask.unreadable is None else mask.unreadable for mask in self.masks])

    @classmethod
    def kept(
        cls,
        file: Path,
        volume: ScanVolume,
        windows: Windows,
        skip_empty: bool,
        flatten_shading: ShadingChoice,
        key: str,
    ) -> Foreground:
        """As `measured`, but once for a segmentation: an interrupted one finds it in a file.

        Args:
            file: where it is kept.
            volume, windows, skip_empty, flatten_shading: as for `measured`.
            key: of all that it depends on; if the key differs, it is measured again.
        """
        found = cls._loaded(file, volume, windows, flatten_shading == BOTH, key) if file.exists() else None
        if found is not None:
            warn_of_unreadable(volume.path, found.unreadable)
            return found
        foreground = cls.measured(volume, windows, skip_empty, flatten_shading)
        foreground._save(file, key)
        return foreground

    @classmethod
    def _loaded(cls, file: Path, volume: ScanVolume, windows: Windows, both: bool, key: str) -> Foreground | None:
        """What `_save` wrote with this key; None for another."""
        with np.load(file) as found:
            if str(found["key"]) != key or "unreadable" not in found:  # an earlier version left out what was nowhere
                return None
            pixels, mean, std = found["intensity"]
            shape, cell = (volume.rows.stop, volume.shape[1]), _shading_cells(windows.scale)[1]
            limits = found.get("limits")
            normalisation = GreyNormalisation(
                Intensity(int(pixels), float(mean), float(std)),
                tuple(Shading(level, shape, cell) for level in found["shading"]),
                None if limits is None else (float(limits[0]), float(limits[1])),
                both,
            )
            blanks = unpacked_slices(found, volume.depth, shape)
            each = zip(found["empty"], blanks, found["unreadable"], strict=True)
            masks = [RockMask(empty, shape, blank, cells if cells.any() else None) for empty, blank, cells in each]
            return cls(normalisation, tuple(masks))

    def _save(self, file: Path, key: str) -> None:
        normalisation = self.normalisation
        values: dict[str, Any] = {
            "key": np.array(key),
            "intensity": np.array(list(vars(normalisation.intensity).values())),
            "shading": np.array([shading.levels for shading in normalisation.shading]),
            "empty": np.stack([mask.empty for mask in self.masks]),
            "unreadable": self.unreadable,
            **packed_slices([mask.blank for mask in self.masks]),
        }
        if normalisation.limits is not None:
            values["limits"] = np.array(normalisation.limits)
        with atomic_path(file) as partial:
            np.savez_compressed(partial, **values)

    def rock(self, plan: ChunkPlan, part: Part) -> np.ndarray:
        """Where a part shows rock (H, W), boolean, as far as is known."""
        rock = np.zeros((part.height, part.width), bool)
        top, left, high, width = self._imaged(plan, part)
        if high:
            rock[:high] = self.masks[part.slice].rock(top, left, high, width)
        return rock

    def is_empty(self, plan: ChunkPlan, part: Part) -> bool:
        """Whether a part shows no rock at all."""
        window = self._imaged(plan, part)
        return not window.height or self.masks[part.slice].is_empty(*window)

    def skipped_share(self, plan: ChunkPlan) -> float:
        """Area of the chunks without rock over that of all chunks."""
        chunks = [plan[index] for index in range(len(plan))]
        return sum(chunk.area for chunk in chunks if self.is_empty(plan, chunk)) / sum(chunk.area for chunk in chunks)

    @property
    def empty_share(self) -> float:
        """Empty area over the imaged area of all slices."""
        return float(np.mean([mask.empty_share for mask in self.masks]))

    def _imaged(self, plan: ChunkPlan, part: Part) -> Window:
        """The window of a slice that a part shows, as far as it is imaged."""
        top = plan.region.y + part.y
        return Window(
            top, plan.region.x + part.x, max(0, min(part.height, self.masks[part.slice].shape[0] - top)), part.width
        )


def _shading_cells(scale: tuple[float, float]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cells that are taken together for the shading, and their size (px): those of the training, at its scale.

    A scan that is coarser than the training's images has larger cells than these.
    """
    group = max(1, round(1 / scale[0])), max(1, round(1 / scale[1]))
    return group, (CELL * group[0], CELL * group[1])


def _limits(looks: Sequence[SliceMeasurement]) -> tuple[float, float] | None:
    """Lowest and highest grey level of the rock of all slices; None where no slice has blank ground."""
    found = [look.limits for look in looks if look.limits is not None]
    if not found or all(look.mask.blank is None for look in looks):
        return None
    return min(low for low, _ in found), max(high for _, high in found)
