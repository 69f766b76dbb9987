"""SEM images and label masks for MONAI's ``LoadImage``, and the cut above the microscope's info bar."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection, PathLike
from monai.data import ImageReader
from monai.transforms import Crop, InvertibleTransform, MapTransform
from monai.utils import MetaKeys, ensure_tuple

from pipeline.errors import UserError
from pipeline.images import ImageSource, is_image, open_only_image
from pipeline.images.microscope import Acquisition, rows_without_bar
from pipeline.images.rectangles import Roi, Rows

#: the metadata's keys for the unit of the affine (nm, or px where the pixel size is unknown), and for how an image
#: was taken
UNIT_KEY, ACQUISITION_KEY = "space_unit", "acquisition"

#: files whose acquisition is remembered
_REMEMBERED = 8192


@dataclass(frozen=True)
class SEMImage:
    """An image, and how it was taken.

    Attributes:
        pixels: values (H, W), in the file's own range.
        acquisition: as far as the file says.
    """

    pixels: np.ndarray
    acquisition: Acquisition


class SEMReader(ImageReader):
    """Reads every format of a data set as one grey channel, rows first.

    MONAI's own readers find none for ``.tif``, transpose, and cut 16 bit or colour in their own ways. Here axis 0 is
    the image's row (y) and axis 1 its column (x), whatever the file.

    The pixel size that the microscope wrote becomes the affine, in nm, so that ``MetaTensor.pixdim`` is the pixels'
    height and width. The metadata's ``space_unit`` is ``nm``; it is ``px``, with an affine of 1, where the pixel size
    is unknown. Its ``acquisition`` holds the other findings (`Acquisition`) as numbers (NaN where unknown) and text
    (empty where unknown), so that batches collate.

    Args:
        label: True for label masks, whose values are kept as they are.
    """

    def __init__(self, label: bool = False) -> None:
        super().__init__()
        self._label = label
        self._known: dict[tuple[Path, int], Acquisition] = {}

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """True for what `pipeline.images.is_image` takes for an image."""
        return all(is_image(Path(name)) for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **_: Any) -> SEMImage:
        """Read one file.

        Raises:
            UserError: the file can't be read, or holds more than one 2-D image.
        """
        (path,) = ensure_tuple(data)
        file = Path(path)
        with open_only_image(file, stored=self._label) as source:
            pixels = source.read_classes() if self._label else source.read_all()
            return SEMImage(pixels, self._acquisition(source, file))

    def _acquisition(self, source: ImageSource, file: Path) -> Acquisition:
        """Tags are parsed once for all epochs."""
        key = file, file.stat().st_mtime_ns
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = source.acquisition
        return self._known[key]

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


class CropInfoBard(MapTransform, InvertibleTransform):
    """Cuts the info bar off an image, and the same rows off what belongs to it.

    The affine's origin stays that of the file. The inverse puts rows of zeros in its place: a
    mask gets the size of the file again, without pore in the bar.

    Args:
        keys: the image's key, whose bar it is, and those of labels. A label of another height than the image is left
            as it is, where it has the height of the image without the bar.
        info_bar: ``auto``, ``keep`` or the bar's height (px), as for `rows_without_bar`.
        rows_key: key of the first row that is imaged and of the end, (2,), where they are known already; `info_bar`
            is not used then.
        allow_missing_keys: whether labels may be missing.
    """

    def __init__(
        self,
        keys: KeysCollection,
        info_bar: str | int = "auto",
        rows_key: str | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self._info_bar = info_bar
        self._rows_key = rows_key
        self._crop = Crop()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Crop (C, H, W) to (C, H - bar, W).

        Raises:
            UserError: the choice is not one of these, or a label's height fits neither.
        """
        out = dict(data)
        first = out[self.keys[0]]
        height = first.shape[1]
        kept = self._rows_of(first) if self._rows_key is None else Rows(*(int(row) for row in out[self._rows_key]))
        for key in self.key_iterator(out):
            rows = out[key].shape[1]
            if rows not in (height, kept.number):
                raise UserError(
                    f"{key} has {rows} rows, but its image has {height} with and {kept.number} without the info bar; "
                    "export the label at the image's size"
                )
            if kept.number < rows:
                out[key] = self._crop(out[key], slices=(slice(*kept), slice(None)))
        return out

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Put rows of zeros where the bar was, in those that were cropped."""
        out = dict(data)
        for key in self.key_iterator(out):
            done = getattr(out[key], "applied_operations", None)
            if done and done[-1].get("class") == "Crop":
                out[key] = self._crop.inverse(out[key])
        return out

    def _rows_of(self, image: Any) -> Rows:
        channel = image[0]
        pixels = channel.detach().cpu().numpy() if isinstance(channel, torch.Tensor) else np.asarray(channel)
        stated = getattr(image, "meta", {}).get(ACQUISITION_KEY, {}).get("bar_height", math.nan)
        acquisition = Acquisition(bar_height=None if math.isnan(stated) else int(stated))

        def read(top: int, left: int, high: int, wide: int) -> np.ndarray:
            return pixels[top : top + high, left : left + wide]

        return rows_without_bar(self._info_bar, read, pixels.shape, acquisition)


class CropPartd(MapTransform):
    """Takes the part of an image, and of what belongs to it, that a sample of a cut micrograph is.

    Args:
        keys: of arrays (C, H, W).
        part_key: key of the part, x, y, width and height (px), of what is left without an info bar; left out of the
            result. Samples without it stay whole.
    """

    def __init__(self, keys: KeysCollection, part_key: str = "part") -> None:
        super().__init__(keys)
        self._part_key = part_key
        self._crop = Crop()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Crop (C, H, W) to (C, height, width) of the part."""
        out = dict(data)
        part = out.pop(self._part_key, None)
        if part is not None:
            roi = Roi(*part)
            for key in self.key_iterator(out):
                rows, columns = slice(roi.y, roi.y + roi.height), slice(roi.x, roi.x + roi.width)
                out[key] = self._crop(out[key], slices=(rows, columns))
        return out
