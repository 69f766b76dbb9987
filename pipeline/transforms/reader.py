"""SEM images and label masks for MONAI's ``LoadImage``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, ensure_tuple

from pipeline.data import IMAGE_SUFFIXES, read_image, read_label


class SEMReader(ImageReader):
    """Reads every format of a data set as one grey channel, rows first.

    MONAI's own readers find none for ``.tif``, transpose, and cut 16 bit or colour in their own ways. Here axis 0 is
    the image's row (y) and axis 1 its column (x), whatever the file.

    Args:
        label: True for label masks, whose values are kept as they are.
    """

    def __init__(self, label: bool = False) -> None:
        super().__init__()
        self._read = read_label if label else read_image

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """True for the formats of :data:`pipeline.data.IMAGE_SUFFIXES`."""
        return all(str(name).lower().endswith(tuple(IMAGE_SUFFIXES)) for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **_: Any) -> np.ndarray:
        """Read one file.

        Returns:
            Values (H, W), in the file's own range.

        Raises:
            UserError: the file can't be read, or holds more than one 2-D image.
        """
        (path,) = ensure_tuple(data)
        return self._read(Path(path))

    def get_data(self, img: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """The array (H, W) and MONAI's metadata for it: no channel axis, pixel size unknown (affine of 1)."""
        meta: dict[str, Any] = {
            MetaKeys.AFFINE: np.eye(3),
            MetaKeys.ORIGINAL_AFFINE: np.eye(3),
            MetaKeys.SPATIAL_SHAPE: np.array(img.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),  # MONAI's sign for "there is none"
        }
        return img, meta
