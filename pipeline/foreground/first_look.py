"""The first look at one slice of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.errors import UserError
from pipeline.foreground.blank_edge import touched_cells, trace_blank_ground
from pipeline.foreground.cells import measure_cells
from pipeline.foreground.intensity import Intensity, NothingToSee, scan_intensity
from pipeline.foreground.rock_map import EmptyGround, RockMap, find_empty_ground
from pipeline.foreground.shading import CELL
from pipeline.images import ImageSource
from pipeline.images.rectangles import Window
from pipeline.tiling.windows import Windows, at_network_scale


@dataclass(frozen=True)
class FirstLook:
    """What was found in a slice.

    Attributes:
        map: where it shows rock.
        medians: grey levels of its cells, (rows, columns), NaN: no rock; None: they were not asked for.
        limits: lowest and highest grey level of its rock; None: it was not asked for, or there is none.
    """

    map: RockMap
    medians: np.ndarray | None = None
    limits: tuple[float, float] | None = None

    @classmethod
    def at(cls, source: ImageSource, needed: Window | None, skip_empty: bool, flatten_shading: bool) -> FirstLook:
        """Look at a slice: one pass over its pixels, or none where neither is asked for.

        Args:
            source: the slice.
            needed: where all pixels have to be readable; None: everywhere.
            skip_empty: look for empty ground.
            flatten_shading: measure the medians.

        Raises:
            UserError: a part that is needed can't be read, or is NaN or infinite.
        """
        nowhere = EmptyGround(np.zeros([-(-side // CELL) for side in source.shape], bool), source.shape)
        if not (skip_empty or flatten_shading):
            return cls(RockMap(nowhere))
        cells = measure_cells(source, needed)
        unread = cells.unread if cells.unread.any() else None
        if not skip_empty:
            return cls(RockMap(nowhere, unread=unread), cells.median)
        blank = trace_blank_ground(source, cells)
        empty = find_empty_ground(cells, None if blank is None else touched_cells(blank))
        medians = cells.median
        medians[empty.empty] = np.nan
        low, high = cells.lowest[~np.isnan(cells.lowest)], cells.highest[~np.isnan(cells.highest)]
        limits = (float(low.min()), float(high.max())) if len(low) else None
        return cls(RockMap(empty, blank, unread), medians, limits)

    def intensity(self, source: ImageSource, windows: Windows, most_pixels: int) -> Intensity:
        """Mean and standard deviation of its rock, at the network's scale; see `scan_intensity`."""
        skip, imaged = partial(self.map.is_empty_at, windows.scale), partial(self.map.imaged_at, windows.scale)
        return scan_intensity(at_network_scale(source, windows), most_pixels, skip, imaged)


def look_at(
    source: ImageSource,
    windows: Windows,
    needed: Window | None,
    skip_empty: bool,
    flatten_shading: bool,
    most_pixels: int,
) -> tuple[FirstLook, Intensity | NothingToSee]:
    """Look at a slice, and measure its grey values.

    Args:
        source: the slice.
        windows: of the plan.
        needed: as for `FirstLook.at`.
        skip_empty: likewise.
        flatten_shading: likewise.
        most_pixels: about how many are read for the grey values.

    Returns:
        What was found, and the statistics of the rock, or why there are none.

    Raises:
        UserError: as for `FirstLook.at`.
    """
    look = FirstLook.at(source, needed, skip_empty, flatten_shading)
    try:
        return look, look.intensity(source, windows, most_pixels)
    except NothingToSee as error:
        return look, error
    except UserError:
        if needed is None or skip_empty or flatten_shading:
            raise
    # a part that the sample hit can't be read; which parts these are takes a pass over all pixels
    unread = FirstLook.at(source, needed, False, True).map
    return FirstLook(unread), FirstLook(unread).intensity(source, windows, most_pixels)
