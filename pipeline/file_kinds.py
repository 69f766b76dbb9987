"""Which kind of image a file holds, by its first bytes, and Pillow's readers of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_GZIP = b"\x1f\x8b"

# The classes behind `Image.open`, called directly: `Image.open` refuses images above a global pixel limit that is
# there for web servers, and lifting the limit would change it for the whole process.
_PILLOW: dict[str, Callable[[BinaryIO], Image.Image]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}


def kind_of(data: bytes) -> str | None:
    """Return png, jpeg, bmp, tiff or nifti by the first bytes of a file; any gzip counts as nifti."""
    if data.startswith(_PNG):
        return "png"
    if data.startswith(_TIFF):
        return "tiff"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"BM"):
        return "bmp"
    # a NIfTI file starts with the length of its header: 348 (version 1) or 540 (version 2), of either endianness
    lengths = {length.to_bytes(4, order) for length in (348, 540) for order in ("little", "big")}
    return "nifti" if data.startswith(_GZIP) or data[:4] in lengths else None


def open_with_pillow(stream: BinaryIO, kind: str) -> Image.Image:
    """Read the header of a png, jpeg or bmp file of any size; its pixels are decoded when they are asked for."""
    return _PILLOW[kind](stream)
