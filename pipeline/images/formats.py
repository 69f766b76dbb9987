"""Which kind of image a file holds, by its first bytes."""

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


_EXPORT = "export it as TIFF, with the software that wrote it or with Fiji (Bio-Formats)"
_KINDS = {
    b"version https://git-lfs": (
        "it is a Git LFS pointer, not the image itself",
        "fetch the image with `git lfs pull`",
    ),
    b"\0\0\0\3": ("it looks like a Gatan file (DM3)", _EXPORT),
    b"\0\0\0\4": ("it looks like a Gatan file (DM4)", _EXPORT),
    b"ZISRAWFILE": ("it is a ZEISS CZI file", _EXPORT),
    b"\xda\xce\xbe\x0a": ("it is a Nikon ND2 file", _EXPORT),
    b"\x89HDF": ("it is an HDF5 file (EMD, Imaris, Dream3D and others)", _EXPORT),
    b"\0\0\0\x0cjP  ": ("it is a JPEG 2000 file", "save it as TIFF or PNG"),
    b"GIF8": ("it is a GIF", "save it as TIFF or PNG"),
    b"RIFF": ("it is a WebP picture or a video", "save the image as TIFF or PNG"),
    b"%PDF": ("it is a PDF", "give the image itself"),
}


def unknown_content(start: bytes) -> str:
    """What is wrong, and what to do.

    Args:
        start: the first bytes of the file, 200 or so.
    """
    for mark, (what, remedy) in _KINDS.items():
        if start.startswith(mark):
            return f"{what}; {remedy}"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in start):
        shown = " ".join(start[:40].decode("latin-1").split())
        return f'it is a text file, not an image (it begins with "{shown}"); check which file was meant'
    return "its content is not TIFF, Zarr, PNG, JPEG, BMP, NIfTI or MRC; save the image as TIFF or PNG"
