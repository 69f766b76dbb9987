"""An image seen otherwise: a part of it, or its grey values changed as they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.images.source import ImageSource


def cropped(source: ImageSource, roi: Roi) -> ImageSource:
    """The part of a source as a source of its own; closing it closes the source.

    Raises:
        UserError: the rectangle reaches beyond the scan.
    """
    if roi.x + roi.width > source.shape[1] or roi.y + roi.height > source.shape[0]:
        raise UserError(f"{source.name}: roi {roi} extends beyond the scan, which is {source.size}; give a smaller one")
    return _Cropped(source, roi)


class _Cropped(ImageSource):
    def __init__(self, source: ImageSource, roi: Roi) -> None:
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


class ChangedSource(ImageSource):
    """A source with other grey values of the same type; closing it closes the source.

    Args:
        source: the scan as it is.
        change: of windows (H, W), each pixel on its own.
    """

    def __init__(self, source: ImageSource, change: Callable[[np.ndarray], np.ndarray]) -> None:
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


def inverted(source: ImageSource) -> ImageSource:
    """A scan whose pores are bright, with dark and bright exchanged."""
    return ChangedSource(source, _inverted)


def _inverted(window: np.ndarray) -> np.ndarray:
    # whole numbers keep their range, real ones have none
    result: np.ndarray = np.invert(window) if window.dtype.kind == "u" else -window
    return result
