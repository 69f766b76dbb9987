"""What of a scan can't be read, or holds NaN, away from the region that is segmented: the first look leaves it out."""

from __future__ import annotations

import logging

import numpy as np

from pipeline.data.shading import CELL
from pipeline.errors import UserError
from pipeline.scan.rectangles import Window
from pipeline.scan.resampling import axis_weights
from pipeline.scan.windows import Windows

logger = logging.getLogger("vlsenet")


def needed_window(windows: Windows) -> Window | None:
    """The pixels of each slice that the network will look at: the region and what lies around it; None: all of them."""
    plan = windows.plan
    if plan.roi is None:
        return None
    _, rows, columns = plan.grid
    parts = [windows.imaged(plan[index]) for index in range(rows * columns)]
    seen = np.array([windows.around(part) for part in parts if part.height])
    if not len(seen):
        return None
    spans = []
    for axis, scale, length in zip((0, 1), windows.scale, (windows.rows or plan.height, plan.width), strict=True):
        # windows may reach beyond the scan
        end = min(int((seen[:, axis] + seen[:, axis + 2]).max()), windows.shape[axis])
        first = max(0, int(seen[:, axis].min()))
        spans.append((first, end - first) if scale == 1 else axis_weights(first, end - first, scale, length)[:2])
    (top, height), (left, width) = spans
    return Window(top, left, height, width)


def is_of_a_part(error: UserError) -> bool:
    """Whether reading failed because of what a part of the scan holds, and not because file or memory are gone."""
    return not isinstance(error.__cause__, OSError | MemoryError)


def with_what_is_read(error: UserError, windows: Windows, needed: Window) -> UserError:
    """The same error, which says how far around the region is read: it may lie outside of it."""
    region = windows.plan.region
    around = max(
        region.y - needed.top,
        region.x - needed.left,
        needed.top + needed.height - region.y - region.height,
        needed.left + needed.width - region.x - region.width,
    )
    return UserError(f"{error} (--roi {region} is read with {around} pixels around it)")


def tell_unread(path: str, unread: np.ndarray) -> None:
    """Warn of cells (slices, rows, columns) that the statistics lack, with the place of the first."""
    slice_, row, column = np.argwhere(unread)[0]
    place = f"x {column * CELL}, y {row * CELL}" + (f", slice {slice_ + 1}" if len(unread) > 1 else "")
    logger.warning(
        "%s: %.2g %% of the scan can't be read or holds NaN, first at the square of %d pixels at %s; the grey-level "
        "statistics leave it out: copy the scan again, or fill NaN with a grey value, to have those of all of it",
        path,
        100 * unread.mean(),
        CELL,
        place,
    )
