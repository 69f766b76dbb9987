"""One phase of a segmentation of several, as all that measures pores reads it."""

from __future__ import annotations

import numpy as np

from pipeline.engine.store import MASK, PROBABILITY, ScanStore


class PhaseView(ScanStore):
    """A finished store in which `MASK` is 255 where the label image says this phase, and `PROBABILITY` is its own.

    It reads from the store; nothing is written through it.

    Args:
        store: of several phases.
        number: of the phase, from 1.
    """

    def __init__(self, store: ScanStore, number: int) -> None:
        super().__init__(store.path, store.plan, store.phases)
        self._whole, self._number = store, number

    def read(self, level: int, channel: int, at: tuple[int, int, int]) -> np.ndarray:
        """As `ScanStore.read`, of this phase."""
        if channel == MASK:
            return (self._whole.read(level, MASK, at) == self._number).astype(np.uint8) * np.uint8(255)
        return self._whole.read(level, PROBABILITY + self._number - 1, at)


def phase_view(store: ScanStore, number: int) -> ScanStore:
    """The store as it is read for the phase with this number, from 1: itself, where pore is the only phase."""
    return PhaseView(store, number) if store.labelled else store
