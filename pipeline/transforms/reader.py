"""SEM images and label masks for MONAI's ``LoadImage``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, ensure_tuple

from pipeline.data import IMAGE_SUFFIXES, read_image, read_label
from pipeline.microscope import Acquisition, read_acquisition

#: the metadata's keys for the unit of the affine (nm, or px where the pixel size is unknown), and for how an image
#: was taken
UNIT_KEY, ACQUISITION_KEY = "space_unit", "acquisition"


@dataclass(frozen=True)
class SEMImage:
    """An image, and how it was taken.

    Attributes:
        pixels: values (H, W), in the file's own range.
        acquisition: as far as the file tells.
    """

    pixels: np.ndarray
    acquisition: Acquisition


class SEMReader(ImageReader):
    """Reads every format of a data set as one grey channel, rows first.

    MONAI's own readers find none for ``.tif``, transpose, and cut 16 bit or colour in their own ways. Here axis 0 is
    the image's row (y) and axis 1 its column (x), whatever the file.

    The pixel size that the microscope wrote becomes the affine, in nm, so that ``MetaTensor.pixdim`` is the pixels'
    height and width. The metadata's ``space_unit`` is ``nm``; it is ``px``, with an affine of 1, where the pixel size
    is unknown. Its ``acquisition`` holds the other findings (:class:`pipeline.microscope.Acquisition`) as numbers (NaN
    where unknown) and text (empty where unknown), so that batches collate.

    Args:
        label: True for label masks, whose values are kept as they are.
    """

    def __init__(self, label: bool = False) -> None:
        super().__init__()
        self._read = read_label if label else read_image

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """True for the formats of :data:`pipeline.data.IMAGE_SUFFIXES`."""
        return all(str(name).lower().endswith(tuple(IMAGE_SUFFIXES)) for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **_: Any) -> SEMImage:
        """Read one file.

        Raises:
            UserError: the file can't be read, or holds more than one 2-D image.
        """
        (path,) = ensure_tuple(data)
        file = Path(path)
        pixels = self._read(file)
        return SEMImage(pixels, _acquisition(file, file.stat().st_mtime_ns))

    def get_data(self, img: SEMImage) -> tuple[np.ndarray, dict[str, Any]]:
        """The array (H, W) and MONAI's metadata for it: no channel axis, and an affine in nm or px."""
        size = img.acquisition.pixel_size_nm
        affine = np.diag([*(size or (1.0, 1.0)), 1.0])
        meta: dict[str, Any] = {
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.array(img.pixels.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),  # MONAI's sign for "there is none"
            UNIT_KEY: "px" if size is None else "nm",
            ACQUISITION_KEY: _plain(img.acquisition),
        }
        return img.pixels, meta


@lru_cache(maxsize=8192)
def _acquisition(file: Path, _modified: int) -> Acquisition:
    """Tags are parsed once for all epochs."""
    return read_acquisition(file)


def _plain(acquisition: Acquisition) -> dict[str, Any]:
    """Numbers and text without None, which does not collate."""
    plain: dict[str, Any] = {}
    for name, value in acquisition.to_dict().items():
        if name in ("detector", "date", "instrument"):
            plain[name] = value or ""
        elif name == "sources":
            plain["pixel_size_source"] = value.get("pixel_size", "")
        elif name == "warnings":
            plain[name] = "; ".join(value)
        else:
            plain[name] = float("nan") if value is None else float(value)
    return plain
