"""What is measured of a scan before it is segmented: grey levels, and where there is no rock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from pipeline.atomic import atomic_path
from pipeline.data import Intensity, Shading
from pipeline.data.shading import CELL, grouped_medians
from pipeline.scan.cells import measure_cells
from pipeline.scan.empty_ground import EmptyGround, find_empty_ground
from pipeline.scan.greys import Greys
from pipeline.scan.intensity import NothingToSee, sample_windows, scan_intensity
from pipeline.scan.output.plan import ChunkPlan, Part
from pipeline.scan.resampling import at_network_scale
from pipeline.scan.volume import ScanVolume
from pipeline.scan.windows import Windows

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
    """

    greys: Greys
    rows: int
    empty: np.ndarray | None

    @classmethod
    def measured(cls, volume: ScanVolume, windows: Windows, skip_empty: bool, flatten_shading: bool) -> Ground:
        """Look through a scan: one pass over all pixels, or over a part of them where neither is asked for.

        Args:
            volume: the scan.
            windows: of its plan.
            skip_empty: look for empty ground.
            flatten_shading: measure the shading.

        Raises:
            UserError: a part can't be read, no rock was found, or all grey values are the same.
        """
        maps: list[EmptyGround] = []
        medians: list[np.ndarray] = []
        parts: list[Intensity] = []
        nothing: NothingToSee | None = None
        share = max(1, _PIXELS // volume.depth)
        for index in tqdm(range(volume.depth), unit="slice", desc="first look", disable=volume.depth == 1, delay=2):
            with volume.slice(index) as source:
                if skip_empty or flatten_shading:
                    cells = measure_cells(source)
                    medians.append(cells.median)
                    if skip_empty:
                        maps.append(find_empty_ground(cells))
                        medians[-1][maps[-1].empty] = np.nan
                try:
                    skip = _skip(maps[-1], windows.scale) if maps else None
                    parts.append(scan_intensity(at_network_scale(source, windows), share, skip))
                except NothingToSee as error:
                    nothing = error  # one empty slice among others is no mistake
        if nothing is not None and not parts:
            raise nothing
        empty = np.stack([found.empty for found in maps]) if maps else None
        intensity, shape = Intensity.pooled(parts), (volume.rows, volume.shape[1])
        group, cell = _shading_cells(windows.scale)
        shading = tuple(
            Shading.from_medians(grouped_medians(found, group), shape, intensity, cell)
            for found in (medians if flatten_shading else [])
        )
        return cls(Greys(intensity, shading), volume.rows, empty)

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
            key: of all that it depends on; what was kept for another is measured anew.
        """
        if file.exists():
            with np.load(file) as found:
                if str(found["key"]) == key:
                    pixels, mean, std = found["intensity"]
                    shape = volume.rows, volume.shape[1]
                    cell = _shading_cells(windows.scale)[1]
                    shading = tuple(Shading(level, shape, cell) for level in found["shading"])
                    intensity = Intensity(int(pixels), float(mean), float(std))
                    return cls(Greys(intensity, shading), volume.rows, found.get("empty"))
        ground = cls.measured(volume, windows, skip_empty, flatten_shading)
        greys = ground.greys
        values: dict[str, Any] = {
            "key": np.array(key),
            "intensity": np.array(list(vars(greys.intensity).values())),
            "shading": np.array([shading.levels for shading in greys.shading]),
        }
        if ground.empty is not None:
            values["empty"] = ground.empty
        with atomic_path(file) as partial:
            np.savez_compressed(partial, **values)
        return ground

    def rock(self, plan: ChunkPlan, part: Part) -> np.ndarray:
        """Where a part shows rock (H, W), boolean, as far as is known."""
        rock = np.zeros((part.height, part.width), bool)
        cells, high = self._rock_cells(plan, part)
        y, x = (plan.region[1] + part.y) % CELL, (plan.region[0] + part.x) % CELL
        wide = cells.repeat(CELL, axis=1)[:, x : x + part.width]
        rock[:high] = wide.repeat(CELL, axis=0)[y : y + high]
        return rock

    def is_empty(self, plan: ChunkPlan, part: Part) -> bool:
        """Whether a part shows no rock at all."""
        return not self._rock_cells(plan, part)[0].any()

    def _rock_cells(self, plan: ChunkPlan, part: Part) -> tuple[np.ndarray, int]:
        """The cells that a part touches, True where there is rock, and how many of the part's rows are imaged."""
        top, left = plan.region[1] + part.y, plan.region[0] + part.x
        high = max(0, min(part.height, self.rows - top))
        rows = slice(top // CELL, -(-(top + high) // CELL) if high else top // CELL)
        columns = slice(left // CELL, -(-(left + part.width) // CELL))
        if self.empty is None:
            return np.ones((rows.stop - rows.start, columns.stop - columns.start), bool), high
        return ~self.empty[part.slice][rows, columns], high

    def skipped_share(self, plan: ChunkPlan) -> float:
        """Area of the chunks without rock over that of all chunks."""
        parts = [plan.part(index) for index in range(len(plan))]
        empty = sum(part.height * part.width for part in parts if self.is_empty(plan, part))
        return empty / sum(part.height * part.width for part in parts)

    def empty_share(self, width: int) -> float:
        """Empty area over the imaged area of all slices, of the given width (px)."""
        if self.empty is None:
            return 0.0
        return float(np.mean([EmptyGround(cells, (self.rows, width)).share for cells in self.empty]))


def rock_tiles(volume: ScanVolume, windows: Windows, ground: Ground, side: int, count: int) -> np.ndarray:
    """Up to `count` tiles (N, side, side), float32, normalised, at the network's scale, spread over a scan's rock."""
    slices = [i * volume.depth // min(count, volume.depth) for i in range(min(count, volume.depth))]
    high, wide = (min(side, length) for length in windows.shape)
    places: list[tuple[int, int, int]] = []
    for index in slices:
        cells = None if ground.empty is None else EmptyGround(ground.empty[index], (volume.rows, volume.shape[1]))
        skip = None if cells is None else _skip(cells, windows.scale)
        # more than are needed, as some may be empty
        most = -(-4 * count // len(slices))
        found = [window[:2] for window in sample_windows(windows.shape, (side, side), most * side**2)]
        found = [(min(top, windows.shape[0] - high), min(left, windows.shape[1] - wide)) for top, left in found]
        rock = [place for place in found if skip is None or not skip(*place, high, wide)]
        places += [(index, *place) for place in rock or found]
    chosen = places if len(places) <= count else [places[i * len(places) // count] for i in range(count)]
    tiles = []
    for index, top, left in chosen:
        with volume.slice(index) as source:
            pixels = at_network_scale(source, windows).read(top, left, high, wide)
        tiles.append(ground.greys.normalised(pixels, index, top, left, windows.scale))
    return np.stack(tiles)


def _skip(cells: EmptyGround, scale: tuple[float, float]) -> Callable[[int, int, int, int], bool]:
    """Whether a window, in pixels of the network's scale, lies in empty ground with all its pixels."""

    def skip(top: int, left: int, height: int, width: int) -> bool:
        y, x = (int(start / factor) for start, factor in zip((top, left), scale, strict=True))
        bottom = min(cells.shape[0], int((top + height) / scale[0] + 1))
        right = min(cells.shape[1], int((left + width) / scale[1] + 1))
        return cells.covers(y, x, bottom - y, right - x)

    return skip


def _shading_cells(scale: tuple[float, float]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cells that are taken together for the shading, and their size (px): those of the training, at its scale.

    A scan that is coarser than the training's images has larger cells than these.
    """
    group = max(1, round(1 / scale[0])), max(1, round(1 / scale[1]))
    return group, (CELL * group[0], CELL * group[1])
