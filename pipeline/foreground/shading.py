"""Slow changes of brightness over a micrograph, and an image without them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from pipeline.foreground.intensity import Intensity

#: side of a cell of the map (px)
CELL = 128
#: every so many pixels along each axis are looked at: they fix a cell's median as well as all
STEP = 2
#: a cell whose median is farther from the micrograph's mean (in its standard deviations) shows one large pore, or one
#: large bright grain
_DARKEST, _BRIGHTEST = -1.0, 2.0
#: where the deepest pores lie below the mean (in standard deviations): there, shading changes nothing
BLACK = 3.0
#: rows that are worked on at a time, small enough for the processor's cache
_BAND = 64


@dataclass(frozen=True)
class Shading:
    """How bright the rock between the pores is, from place to place.

    Attributes:
        levels: (rows, columns) of cells, in standard deviations of the micrograph above its mean.
        shape: height and width of the image (px).
        cell: height and width of a cell (px).
    """

    levels: np.ndarray
    shape: tuple[int, int]
    cell: tuple[int, int] = (CELL, CELL)

    @classmethod
    def of(cls, image: np.ndarray, intensity: Intensity) -> Shading:
        """That of an image (H, W), of a micrograph with this mean and standard deviation."""
        return cls.from_medians(cell_medians(image), image.shape, intensity)

    @classmethod
    def from_medians(
        cls,
        medians: np.ndarray,
        shape: tuple[int, ...],
        intensity: Intensity,
        cell: tuple[int, int] = (CELL, CELL),
    ) -> Shading:
        """That of an image with these medians of its cells.

        Args:
            medians: (rows, columns), grey levels; NaN: no rock.
            shape: the image's height and width (px).
            intensity: of the whole micrograph.
            cell: height and width of a cell (px).
        """
        relative = (medians - intensity.mean) / (intensity.std or 1.0)
        valid = (relative >= _DARKEST) & (relative <= _BRIGHTEST)
        if not valid.any():
            return cls(np.zeros(medians.shape, np.float32), (shape[0], shape[1]), cell)
        # what shows no rock is as bright as the nearest that does
        nearest = ndimage.distance_transform_edt(~valid, return_distances=False, return_indices=True)
        return cls(relative[tuple(nearest)].astype(np.float32), (shape[0], shape[1]), cell)

    def flatten(
        self, relative: np.ndarray, top: int = 0, left: int = 0, scale: tuple[float, float] = (1.0, 1.0)
    ) -> np.ndarray:
        """A window with the same level of rock everywhere, 0.

        A change of brightness is taken for one of gain, so that it is the smaller the darker a pixel is, and nothing in
        the deepest pores: ``(z - level) / (1 + level / BLACK)``.

        Args:
            relative: (H, W), float32, in standard deviations above the mean; changed in place.
            top: first row of the window, at its own scale.
            left: first column.
            scale: pixels of the window to one of the image, along rows and columns.
        """
        (row, _, down), (column, right, across) = (
            _between(start, count, factor, length, side)
            for start, count, factor, length, side in zip(
                (top, left), relative.shape, scale, self.shape, self.cell, strict=True
            )
        )
        # linear between the cells' centres
        wide = self.levels[:, column] * (1 - across) + self.levels[:, right] * across
        steps = np.diff(wide, axis=0, append=wide[-1:])
        for first in range(0, len(relative), _BAND):
            rows = slice(first, first + _BAND)
            level = steps[row[rows]]
            level *= down[rows, None]
            level += wide[row[rows]]
            relative[rows] -= level
            level *= 1 / BLACK
            level += 1
            relative[rows] /= level
        return relative


def cell_medians(image: np.ndarray) -> np.ndarray:
    """Medians of the cells of an image (H, W); the last are moved inside, and an image smaller than a cell is one."""
    return np.median(_cells(image, (CELL, CELL), STEP), axis=(2, 3)).astype(np.float32)


def grouped_medians(medians: np.ndarray, group: tuple[int, int]) -> np.ndarray:
    """Medians of groups of cells, (rows, columns); NaN where none of a group's cells has one.

    Args:
        medians: of the cells.
        group: cells in a group along each axis; the last groups are moved inside.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a group without rock is no mistake
        return np.nanmedian(_cells(medians, group), axis=(2, 3)).astype(np.float32)


def _cells(values: np.ndarray, side: tuple[int, int], step: int = 1) -> np.ndarray:
    """Cells (rows, columns, h, w) of an array, every `step` values of them."""
    starts = [_starts(length, wanted) for length, wanted in zip(values.shape, side, strict=True)]
    fitting = tuple(np.minimum(side, values.shape))
    cells: np.ndarray = sliding_window_view(values, fitting)[..., ::step, ::step][np.ix_(*starts)]
    return cells


def _starts(length: int, side: int) -> list[int]:
    """First pixels of the cells along an axis."""
    return [min(start, max(0, length - side)) for start in range(0, length, side)]


def _between(start: int, count: int, scale: float, length: int, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For pixels of an axis, the cells before and after, and how far it is to the one after, 0 to 1."""
    centres = np.array(_starts(length, side)) + (side - 1) / 2
    places = (np.arange(start, start + count) + 0.5) / scale - 0.5
    number = np.interp(places, centres, np.arange(len(centres)))
    before = number.astype(np.int64)
    return before, np.minimum(before + 1, len(centres) - 1), (number - before).astype(np.float32)
