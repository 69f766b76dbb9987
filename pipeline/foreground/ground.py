"""What is measured of a scan before it is segmented: grey levels, and where there is no rock."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.foreground.blank import BlankGround, packed_slices, unpacked_slices
from pipeline.foreground.cells import is_of_a_part, needed_window, tell_unread, with_what_is_read
from pipeline.foreground.first_look import FirstLook, look_at
from pipeline.foreground.intensity import Intensity, NothingToSee
from pipeline.foreground.rock_map import EmptyGround, RockMap
from pipeline.foreground.shading import CELL, Shading, grouped_medians
from pipeline.images.rectangles import Part, Window
from pipeline.images.volume import ScanVolume
from pipeline.tiling.plan import ChunkPlan
from pipeline.tiling.windows import Windows


@dataclass(frozen=True)
class Greys:
    """How grey values of a scan are normalised.

    Attributes:
        intensity: at the network's scale, of the whole scan, all slices together: what is dark in one slice stays
            dark beside the others.
        shading: of each slice, to be removed; empty: it is left in.
        limits: the lowest and highest grey value of the rock of a scan with blank ground, which is taken for the
            darkest or brightest rock; None: there is none.
    """

    intensity: Intensity
    shading: tuple[Shading, ...] = ()
    limits: tuple[float, float] | None = None

    @property
    def drift(self) -> tuple[float, float] | None:
        """Brightness of the rock where it is darkest and brightest, in standard deviations above the mean."""
        if not self.shading:
            return None
        lowest = min(float(shading.levels.min()) for shading in self.shading)
        return lowest, max(float(shading.levels.max()) for shading in self.shading)

    def clipped(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels with blank ground no darker and no brighter than the rock, which is left as it is.

        Windows and pictures reach over the edge of the rock. There, -9999 would be hundreds of standard deviations
        away, and change what a network finds in the rock beside it.
        """
        if self.limits is None:
            return pixels
        low, high = (pixels.dtype.type(limit) for limit in self.limits)
        return np.clip(pixels, low, high)

    def normalised(
        self, pixels: np.ndarray, slice_: int, top: int, left: int, scale: tuple[float, float] = (1.0, 1.0)
    ) -> np.ndarray:
        """Mean 0 and spread 1 over the scan, and the rock equally bright everywhere.

        Args:
            pixels: a window (H, W).
            slice_: which it is of.
            top: its first row, at its own scale.
            left: its first column.
            scale: pixels of the window to one of the scan, along rows and columns.

        Returns:
            (H, W), float32.
        """
        grey = self.clipped(pixels).astype(np.float32)
        grey -= np.float32(self.intensity.mean)
        grey /= np.float32(self.intensity.std)
        return self.shading[slice_].flatten(grey, top, left, scale) if self.shading else grey


logger = logging.getLogger("vlsenet")

#: grey values that fix the mean of 8-bit rock to a small part of a grey level
_PIXELS = 1 << 24


@dataclass(frozen=True)
class Ground:
    """What was measured in the first pass over a scan.

    Attributes:
        greys: how the scan is normalised.
        rows: rows of the scan that are imaged; below them is an info bar.
        empty: (slices, rows, columns) of cells, True where there is no rock; None where it was not looked for.
        blank: of each slice, ground of one value, to the pixel; none where it was not looked for.
        unread: (slices, rows, columns) of cells, True where the scan can't be read and need not be; None: nowhere.
    """

    greys: Greys
    rows: int
    empty: np.ndarray | None
    blank: tuple[BlankGround | None, ...] = ()
    unread: np.ndarray | None = None

    @classmethod
    def measured(cls, volume: ScanVolume, windows: Windows, skip_empty: bool, flatten_shading: bool) -> Ground:
        """Look through a scan: one pass over all pixels, or over a part of them where neither is asked for.

        What lies so far from the region of interest that the network does not look at it may be damaged, or hold NaN:
        it is left out, with a warning.

        Args:
            volume: the scan.
            windows: of its plan.
            skip_empty: look for empty ground.
            flatten_shading: measure the shading.

        Raises:
            UserError: a part can't be read, no rock was found, or all grey values are the same.
        """
        looks: list[FirstLook] = []
        parts: list[Intensity] = []
        nothing: NothingToSee | None = None
        needed, share = needed_window(windows), max(1, _PIXELS // volume.depth)
        for index in tqdm(range(volume.depth), unit="slice", desc="first look", disable=volume.depth == 1, delay=2):
            with volume.slice(index) as source:
                try:
                    look, greys = look_at(source, windows, needed, skip_empty, flatten_shading, share)
                except UserError as error:
                    if needed is None or not is_of_a_part(error):
                        raise
                    raise with_what_is_read(error, windows, needed) from error
            looks.append(look)
            if isinstance(greys, NothingToSee):
                nothing = greys  # one empty slice among others is no mistake
            else:
                parts.append(greys)
        if nothing is not None and not parts:
            raise nothing
        intensity, shape = Intensity.pooled(parts), (volume.rows, volume.shape[1])
        group, cell = _shading_cells(windows.scale)
        shading = tuple(
            Shading.from_medians(grouped_medians(look.medians, group), shape, intensity, cell)
            for look in looks
            if flatten_shading and look.medians is not None
        )
        unread = [look.map.unread for look in looks]
        ground = cls(
            Greys(intensity, shading, _limits(looks)),
            volume.rows,
            np.stack([look.map.cells.empty for look in looks]) if skip_empty else None,
            tuple(look.map.blank for look in looks) if skip_empty else (),
            None if all(found is None for found in unread) else _stacked(unread),
        )
        if ground.unread is not None:
            tell_unread(volume.path, ground.unread)
        return ground

    @classmethod
    def kept(
        cls, file: Path, volume: ScanVolume, windows: Windows, skip_empty: bool, flatten_shading: bool, key: str
    ) -> Ground:
        """As `measured`, but once for a segmentation: an interrupted one finds it in a file.

        Args:
            file: where it is kept.
            volume: the scan.
            windows: of its plan.
            skip_empty: look for empty ground.
            flatten_shading: measure the shading.
            key: of all that it depends on; if the key differs, it is measured again.
        """
        if file.exists():
            with np.load(file) as found:
                if str(found["key"]) == key:
                    pixels, mean, std = found["intensity"]
                    shape = volume.rows, volume.shape[1]
                    cell = _shading_cells(windows.scale)[1]
                    shading = tuple(Shading(level, shape, cell) for level in found["shading"])
                    intensity = Intensity(int(pixels), float(mean), float(std))
                    empty = found.get("empty")
                    blank = () if empty is None else unpacked_slices(found, len(empty), shape)
                    limits = found.get("limits")
                    greys = Greys(intensity, shading, None if limits is None else (float(limits[0]), float(limits[1])))
                    if (unread := found.get("unread")) is not None:
                        tell_unread(volume.path, unread)
                    return cls(greys, volume.rows, empty, blank, unread)
        ground = cls.measured(volume, windows, skip_empty, flatten_shading)
        greys = ground.greys
        values: dict[str, Any] = {
            "key": np.array(key),
            "intensity": np.array(list(vars(greys.intensity).values())),
            "shading": np.array([shading.levels for shading in greys.shading]),
        }
        if ground.empty is not None:
            values["empty"] = ground.empty
            values |= packed_slices(ground.blank)
        if greys.limits is not None:
            values["limits"] = np.array(greys.limits)
        if ground.unread is not None:
            values["unread"] = ground.unread
        with atomic_path(file) as partial:
            np.savez_compressed(partial, **values)
        return ground

    def rock(self, plan: ChunkPlan, part: Part) -> np.ndarray:
        """Where a part shows rock (H, W), boolean, as far as is known."""
        rock = np.zeros((part.height, part.width), bool)
        top, left, high, width = self._imaged(plan, part)
        if high:
            rock[:high] = self.slice_map(part.slice, plan.width).rock(top, left, high, width)
        return rock

    def is_empty(self, plan: ChunkPlan, part: Part) -> bool:
        """Whether a part shows no rock at all."""
        window = self._imaged(plan, part)
        return not window.height or self.slice_map(part.slice, plan.width).is_empty(*window)

    def skipped_share(self, plan: ChunkPlan) -> float:
        """Area of the chunks without rock over that of all chunks."""
        chunks = [plan[index] for index in range(len(plan))]
        return sum(chunk.area for chunk in chunks if self.is_empty(plan, chunk)) / sum(chunk.area for chunk in chunks)

    def empty_share(self, width: int) -> float:
        """Empty area over the imaged area of all slices, of the given width (px)."""
        if self.empty is None:
            return 0.0
        return float(np.mean([self.slice_map(index, width).empty_share for index in range(len(self.empty))]))

    def slice_map(self, index: int, width: int) -> RockMap:
        """That of a slice, of the given width (px)."""
        shape = self.rows, width
        unread = None if self.unread is None else self.unread[index]
        if self.empty is None:
            nowhere = EmptyGround(np.zeros([-(-side // CELL) for side in shape], bool), shape)
            return RockMap(nowhere, unread=unread)
        return RockMap(EmptyGround(self.empty[index], shape), self.blank[index] if self.blank else None, unread)

    def _imaged(self, plan: ChunkPlan, part: Part) -> Window:
        """The window of a slice that a part shows, as far as it is imaged."""
        top = plan.region.y + part.y
        return Window(top, plan.region.x + part.x, max(0, min(part.height, self.rows - top)), part.width)


def _shading_cells(scale: tuple[float, float]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cells that are taken together for the shading, and their size (px): those of the training, at its scale.

    A scan that is coarser than the training's images has larger cells than these.
    """
    group = max(1, round(1 / scale[0])), max(1, round(1 / scale[1]))
    return group, (CELL * group[0], CELL * group[1])


def _limits(looks: Sequence[FirstLook]) -> tuple[float, float] | None:
    """Lowest and highest grey level of the rock of all slices; None where no slice has blank ground."""
    found = [look.limits for look in looks if look.limits is not None]
    if not found or all(look.map.blank is None for look in looks):
        return None
    return min(low for low, _ in found), max(high for _, high in found)


def _stacked(unread: Sequence[np.ndarray | None]) -> np.ndarray:
    """Cells of all slices (slices, rows, columns); one of them has some."""
    shape = next(cells.shape for cells in unread if cells is not None)
    return np.stack([np.zeros(shape, bool) if cells is None else cells for cells in unread])
