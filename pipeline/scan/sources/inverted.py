"""A scan whose pores are bright."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.scan.sources.source import ScanSource


class InvertedSource(ScanSource):
    """A source with dark and bright exchanged; closing it closes the source.

    Args:
        source: the scan as it is.
    """

    def __init__(self, source: ScanSource) -> None:
        super().__init__(
            source.path,
            source.shape,
            source.dtype,
            page=source.page,
            channels=source.channels,
            block=source.block,
            acquisition=source.acquisition,
        )
        self._source = source

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        window = self._source.read(top, left, height, width)
        # whole numbers keep their range, real ones have none
        inverted: np.ndarray = np.invert(window) if window.dtype.kind == "u" else -window
        return inverted

    def _stored(self) -> dict[str, Any]:
        return self._source.fingerprint()

    def close(self) -> None:
        self._source.close()
