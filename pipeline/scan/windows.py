"""Where the network's windows lie: a chunk and a halo around it."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.networks.inputs import STRIDE
from pipeline.scan.output.plan import Chunk, ChunkPlan


class Window(NamedTuple):
    """A part of the scan that is read for a chunk.

    Attributes:
        top: its first row in the scan.
        left: its first column in the scan.
        height: number of rows (px).
        width: number of columns (px).
        inner_top: first row of the chunk in the window.
        inner_left: first column of the chunk in the window.
    """

    top: int
    left: int
    height: int
    width: int
    inner_top: int
    inner_left: int


def window_of(plan: ChunkPlan, chunk: Chunk, halo: int) -> Window:
    """The chunk with its halo, cut at the scan's border; beyond a region of interest the scan itself is read.

    All windows of a plan start on one grid of 16 pixels: those that start elsewhere pool other blocks of pixels.

    Args:
        plan: the chunks.
        chunk: one of them.
        halo: around it (px), a multiple of 16.
    """
    x, y = plan.region[:2]
    top, inner_top, height = _span(y, chunk.y, chunk.height, halo, plan.height)
    left, inner_left, width = _span(x, chunk.x, chunk.width, halo, plan.width)
    return Window(top, left, height, width, inner_top, inner_left)


def _span(origin: int, start: int, length: int, halo: int, end: int) -> tuple[int, int, int]:
    first = origin + start
    begin = max(first - halo, origin % STRIDE)
    stop = min(first + length + halo, end)
    # the network needs a side of 16: at the border of the scan a narrow chunk takes more from the other side
    while stop - begin < STRIDE and begin >= STRIDE:
        begin -= STRIDE
    return begin, first - begin, stop - begin
