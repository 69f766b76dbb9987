"""A part of a scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.scan.rectangles import Roi
from pipeline.scan.sources.source import ScanSource


def cropped(source: ScanSource, roi: Roi) -> ScanSource:
    """The part of a source as a source of its own; closing it closes the source.

    Raises:
        UserError: the rectangle reaches beyond the scan.
    """
    if roi.x + roi.width > source.shape[1] or roi.y + roi.height > source.shape[0]:
        raise UserError(f"{source.name}: roi {roi} extends beyond the scan, which is {source.size}; give a smaller one")
    return _Cropped(source, roi)


class _Cropped(ScanSource):
    def __init__(self, source: ScanSource, roi: Roi) -> None:
        self._source, self._roi = source, roi  # the name, which the base class may need, has both
        super().__init__(
            source.path,
            (roi.height, roi.width),
            source.dtype,
            page=source.page,
            channels=source.channels,
            block=source.block,
            acquisition=source.acquisition,
        )
        self.decoded_whole = source.decoded_whole

    @property
    def name(self) -> str:
        return f"{super().name}[{self._roi}]"

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        return self._source.read(self._roi.y + top, self._roi.x + left, height, width)

    def _stored(self) -> dict[str, Any]:
        return {**self._source.fingerprint(), "roi": str(self._roi), "shape": list(self.shape)}

    def close(self) -> None:
        self._source.close()
