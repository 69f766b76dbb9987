"""Blank ground of all slices as arrays of one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.scan.blank_ground import BlankGround


def packed_slices(slices: Sequence[BlankGround | None]) -> dict[str, np.ndarray]:
    """The arrays, by name; nothing where no slice has any."""
    there = [(index, blank) for index, blank in enumerate(slices) if blank is not None]
    if not there:
        return {}
    return {
        "blank_slices": np.array([index for index, _ in there]),
        "blank_whole": np.stack([blank.whole for _, blank in there]),
        "blank_counts": np.array([len(blank.edge) for _, blank in there]),
        "blank_edge": np.concatenate([blank.edge for _, blank in there]),
        "blank_pixels": np.concatenate([blank.pixels for _, blank in there]),
    }


def unpacked_slices(
    arrays: Mapping[str, np.ndarray], depth: int, shape: tuple[int, int]
) -> tuple[BlankGround | None, ...]:
    """What `packed_slices` was given, of so many slices of one height and width (px)."""
    slices: list[BlankGround | None] = [None] * depth
    if "blank_slices" in arrays:
        ends = np.cumsum(arrays["blank_counts"])[:-1]
        edges, pixels = (np.split(arrays[name], ends) for name in ("blank_edge", "blank_pixels"))
        for index, whole, edge, part in zip(arrays["blank_slices"], arrays["blank_whole"], edges, pixels, strict=True):
            slices[index] = BlankGround(whole, edge, part, shape)
    return tuple(slices)
