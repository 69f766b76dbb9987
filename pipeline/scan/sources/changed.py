"""A scan whose grey values are changed pixel by pixel as they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.scan.sources.source import ScanSource


class ChangedSource(ScanSource):
    """A source with other grey values of the same type; closing it closes the source.

    Args:
        source: the scan as it is.
        change: of windows (H, W), each pixel on its own.
    """

    def __init__(self, source: ScanSource, change: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__(
            source.path,
            source.shape,
            source.dtype,
            page=source.page,
            channels=source.channels,
            block=source.block,
            acquisition=source.acquisition,
        )
        self._source, self._change = source, change

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        return self._change(self._source.read(top, left, height, width))

    def _stored(self) -> dict[str, Any]:
        return self._source.fingerprint()

    def close(self) -> None:
        self._source.close()


def inverted(source: ScanSource) -> ScanSource:
    """A scan whose pores are bright, with dark and bright exchanged."""
    return ChangedSource(source, _inverted)


def _inverted(window: np.ndarray) -> np.ndarray:
    # whole numbers keep their range, real ones have none
    result: np.ndarray = np.invert(window) if window.dtype.kind == "u" else -window
    return result
