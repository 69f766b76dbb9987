"""A part of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.scan.sources.source import ScanSource


@dataclass(frozen=True)
class Roi:
    """A rectangle of pixels.

    Attributes:
        x: its first column.
        y: its first row.
        width: number of columns.
        height: number of rows.
    """

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Roi:
        """From `x,y,w,h`.

        Raises:
            UserError: it is not four whole numbers, or the rectangle is empty.
        """
        try:
            roi = cls(*(int(part) for part in text.split(",")))
        except (ValueError, TypeError) as error:
            raise UserError(f"roi {text!r} is not x,y,width,height in whole pixels, like 0,0,4096,4096") from error
        if min(roi.x, roi.y) < 0 or min(roi.width, roi.height) < 1:
            raise UserError(f"roi {text!r} needs x and y from 0 and a width and height of at least 1 pixel")
        return roi

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"


def cropped(source: ScanSource, roi: Roi) -> ScanSource:
    """The part of a source as a source of its own; closing it closes the source.

    Raises:
        UserError: the rectangle reaches beyond the scan.
    """
    if roi.x + roi.width > source.shape[1] or roi.y + roi.height > source.shape[0]:
        raise UserError(f"{source.name}: roi {roi} reaches beyond the scan, which is {source.size}; name a smaller one")
    return _Cropped(source, roi)


class _Cropped(ScanSource):
    def __init__(self, source: ScanSource, roi: Roi) -> None:
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
        self._source, self._roi = source, roi

    @property
    def name(self) -> str:
        return f"{super().name}[{self._roi}]" if hasattr(self, "_roi") else super().name

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        return self._source.read(self._roi.y + top, self._roi.x + left, height, width)

    def _stored(self) -> dict[str, Any]:
        return {**self._source.fingerprint(), "roi": str(self._roi), "shape": list(self.shape)}

    def close(self) -> None:
        self._source.close()
