"""OME-Zarr and plain Zarr, in a folder, a zip file or an object store."""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import FileProblem, on_one_line
from pipeline.images.failures import COPY_AGAIN
from pipeline.images.image_file import ImageFile, no_volume
from pipeline.images.microscope.acquisition import merged
from pipeline.images.microscope.findings import Finding
from pipeline.images.microscope.standard import from_multiscale, multiscales_of
from pipeline.images.source import ImageSource, file_fingerprint
from pipeline.images.storage import BlockSource
from pipeline.images.whole import unless_one_large_block
from pipeline.wording import some_of

_SAMPLES = 16
#: groups in groups in which images are looked for, as those of plates are, and images that are found at most
_DEEPEST, _MOST = 4, 100
#: groups that hold no images, but what was made of one, and metadata
_NO_IMAGES = ("labels", "OME")


class ZarrFile(ImageFile):
    """The images of a Zarr (slices, times, channels that are no colour); of OME-Zarr, of its largest level.

    Its name is a folder, a .zip file, or an address (memory://, s3://, https://...) that fsspec knows.

    Attributes:
        array: the Zarr array.
        axes: a letter for each of its axes; c only where it is colour.
    """

    def _look(self) -> None:
        node = _opened(self.name)
        names: list[str] | None = None
        finding = Finding("OME-Zarr")
        if not hasattr(node, "chunks"):
            node, names, finding = self._image_of(node)
        self.array = node
        self.axes = self._axes(names)
        self.count = math.prod(n for axis, n in zip(self.axes, self.array.shape, strict=True) if axis not in "yxc")
        self.holds = f"{self.count} images (axes {self.axes}, shape {self.array.shape})"
        along_z = "z" in (names or ()) and 1 < self.count == self.array.shape[(names or []).index("z")]
        if not along_z:
            finding.slice_spacing_nm = None
        self.acquisition = merged([finding], self._missing_chunks())

    def image(self, index: int, page: int | None) -> ImageSource:
        """One image, from 0."""
        block_bytes = math.prod(self.array.chunks) * self.array.dtype.itemsize
        return unless_one_large_block(ZarrSource(self, index, page), block_bytes, self.spill_dir)

    def _missing_chunks(self) -> list[str]:
        """A doubt where chunks of an image are not stored; masks leave out those without a pore."""
        if self.stored or "://" in self.name:  # object stores would be listed
            return []
        chunks, there = math.prod(self.array.cdata_shape), int(self.array.nchunks_initialized)
        if there >= chunks:
            return []
        missing = f"{chunks - there} of its {chunks} chunks are not stored"
        return [f"OME-Zarr: {missing}; their pixels are read as {self.array.fill_value or 0:g}"]

    def _image_of(self, group: Any) -> tuple[Any, list[str] | None, Finding]:
        try:
            if multiscales := multiscales_of(dict(group.attrs)):
                axes = [axis["name"] if isinstance(axis, dict) else axis for axis in multiscales[0].get("axes") or []]
                array = group[multiscales[0]["datasets"][0]["path"]]
                return array, axes or None, from_multiscale(multiscales[0])
            members = sorted(name for name, _ in group.arrays())
            others = sorted(name for name, _ in group.groups())
            images = {} if members else _images_below(group)
        except Exception as error:  # missing keys, missing arrays, damaged metadata
            cause = on_one_line(error)
            what = f"its metadata and arrays do not match ({type(error).__name__}: {cause})"
            raise FileProblem(self.name, what, COPY_AGAIN) from error
        if len(members) == 1:
            return group[members[0]], None, Finding("OME-Zarr")
        if len(images) == 1:  # as converters write it: the image below the root
            return self._image_of(next(iter(images.values())))
        if images:
            what = f"it holds {len(images)} images: {some_of(list(images))}"
            raise FileProblem(
                self.name, what, f"give one of them, such as {self.name.rstrip('/')}/{next(iter(images))}"
            )
        listed = some_of(members + others) or "nothing"
        what = f"it is a Zarr group without OME metadata that holds {listed}"
        raise FileProblem(self.name, what, f"give an image inside, such as {self.name.rstrip('/')}/NAME")

    def _axes(self, names: list[str] | None) -> str:
        shape = self.array.shape
        if names is None:
            named = getattr(getattr(self.array, "metadata", None), "dimension_names", None)
            names = named or dict(self.array.attrs).get("_ARRAY_DIMENSIONS")
        letters = [str(name).lower() for name in names or []]
        if len(letters) == len(shape) and {"y", "x"} <= set(letters):
            # several letters may stand for one axis ("time"); only y, x and c matter here
            axes = "".join(letter if letter in ("y", "x", "c") else "p" for letter in letters)
        elif len(shape) == 2:
            axes = "yx"
        elif len(shape) > 2:
            axes = "p" * (len(shape) - 3) + ("yxc" if shape[-1] in (3, 4) else "pyx")
        else:
            raise FileProblem(self.name, f"it holds an array of shape {shape}, not an image", "give another array")
        at = axes.find("c")
        if at >= 0 and shape[at] not in (3, 4):
            axes = axes.replace("c", "p")  # channels that are no colour are images of their own
        if len(letters) == len(shape):
            sizes = [(name, n) for name, axis, n in zip(letters, axes, shape, strict=True) if axis == "p"]
            self.no_volume = no_volume(sizes, math.prod(n for _, n in sizes))
        return axes


class ZarrSource(BlockSource):
    """One 2-D image of a Zarr array."""

    def __init__(self, file: ZarrFile, index: int, page: int | None) -> None:
        axes, array = file.axes, file.array
        sizes = dict(zip(axes, array.shape, strict=True))  # the p axes are not looked up
        chunks = dict(zip(axes, array.chunks, strict=True))
        shape = sizes["y"], sizes["x"]
        super().__init__(
            file.name,
            shape,
            np.dtype(array.dtype),
            page=page,
            channels=sizes.get("c", 1),
            block=(min(chunks["y"], max(shape[0], 1)), min(chunks["x"], max(shape[1], 1))),
            acquisition=file.acquisition,
            stored=file.stored,
        )
        planes = [n for axis, n in zip(axes, array.shape, strict=True) if axis == "p"]
        places = list(np.unravel_index(index, planes)) if planes else []
        self._index: list[int | None] = [int(places.pop(0)) if axis == "p" else None for axis in axes]
        self._axes, self._array = axes, array

    def _block(self, row: int, column: int) -> np.ndarray:
        (high, wide), (height, width) = self.block, self.shape
        window = {
            "y": slice(row * high, min(height, (row + 1) * high)),
            "x": slice(column * wide, min(width, (column + 1) * wide)),
            "c": slice(None),
        }
        index = tuple(window.get(axis, place) for axis, place in zip(self._axes, self._index, strict=True))
        pixels = np.asarray(self._array[index])
        kept = [axis for axis in self._axes if axis != "p"]
        return self._values(pixels.transpose([kept.index(axis) for axis in "yxc" if axis in kept]))

    def _stored(self) -> dict[str, Any]:
        path = Path(self.path)
        if path.is_file():
            return file_fingerprint(path)
        digest = hashlib.sha256(repr((self._array.shape, self._array.chunks, str(self._array.dtype))).encode())
        across, down = -(-self.shape[1] // self.block[1]), -(-self.shape[0] // self.block[0])
        samples = min(_SAMPLES, across * down)
        for number in range(samples):
            row, column = divmod(number * (across * down - 1) // max(1, samples - 1), across)
            top, left = row * self.block[0], column * self.block[1]
            bottom, right = min(self.shape[0], top + self.block[0]), min(self.shape[1], left + self.block[1])
            digest.update(np.ascontiguousarray(self.read(top, left, bottom - top, right - left)).data)
        fingerprint: dict[str, Any] = {"name": self.path.rstrip("/").rpartition("/")[2], "bytes": None}
        fingerprint["modified"] = None  # object stores are not listed: that may take longer than reading them
        if path.is_dir():
            files = [os.stat(os.path.join(at, name)) for at, _, names in os.walk(path) for name in names]
            fingerprint["bytes"] = sum(file.st_size for file in files)
            fingerprint["modified"] = max(file.st_mtime for file in files)
        return {**fingerprint, "sha256_of_samples": digest.hexdigest()}


def _images_below(group: Any, deep: int = 1) -> dict[str, Any]:
    """The groups of OME's images in a group, by their path in it."""
    found: dict[str, Any] = {}
    for name, inner in sorted(group.groups(), key=lambda one: one[0]):
        if len(found) >= _MOST or name in _NO_IMAGES:
            continue
        if multiscales_of(dict(inner.attrs)):
            found[name] = inner
        elif deep < _DEEPEST:
            found |= {f"{name}/{path}": image for path, image in _images_below(inner, deep + 1).items()}
    return found


def _opened(location: str) -> Any:
    """The array or group at a location."""
    import zarr  # half a second, and many scans are TIFF

    try:
        if "://" not in location and Path(location).is_file():
            return zarr.open(zarr.storage.ZipStore(location, mode="r"), mode="r")
        # a path, as zarr takes text with `::` for a chain of addresses
        return zarr.open(location if "://" in location else Path(location), mode="r")
    except ImportError as error:
        what = f"{error}".rstrip(".")
        raise FileProblem(location, f"reading it needs a package ({what})", "install it") from error
    except Exception as error:  # stores answer a missing or damaged array with errors of every type
        cause = on_one_line(error)
        what = f"it can't be opened as Zarr ({type(error).__name__}: {cause})"
        raise FileProblem(location, what, "check the path, and the access rights of an object store") from error
