"""The formats of images: how files of each are recognised, what they are called, and what reads them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin

from pipeline.errors import FileProblem
from pipeline.files import cannot_open
from pipeline.images.failures import COPY_AGAIN

#: bytes from the beginning of a file by which all formats are recognised
BEGINNING = 212
_GZIP = b"\x1f\x8b"
# a NIfTI file starts with the length of its header: 348 (version 1) or 540 (version 2), of either byte order
_NIFTI = tuple(size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big"))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Format:
    """A format of images.

    Attributes:
        name: as messages have it.
        suffixes: of its files' names, in lower case.
        begins: whether the first `BEGINNING` bytes of a file are those of this format.
        reader: the subclass of `ImageFile` that reads it, as `module:name`; imported when the first file is opened.
    """

    name: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    reader: str


#: the formats that are read, by the kind that `kind_of` gives
FORMATS = {
    "tiff": Format(
        "TIFF",
        (".tiff", ".tif", ".btf", ".tf8", ".tf2"),
        lambda start: start.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")),
        "pipeline.images.tiff:TiffFile",
    ),
    "png": Format(
        "PNG", (".png",), lambda start: start.startswith(b"\x89PNG\r\n\x1a\n"), "pipeline.images.whole:PictureFile"
    ),
    "jpeg": Format(
        "JPEG", (".jpeg", ".jpg"), lambda start: start.startswith(b"\xff\xd8\xff"), "pipeline.images.whole:PictureFile"
    ),
    "bmp": Format("BMP", (".bmp",), lambda start: start.startswith(b"BM"), "pipeline.images.whole:PictureFile"),
    "nifti": Format(
        "NIfTI",
        (".nii.gz", ".nii"),
        lambda start: start.startswith((_GZIP, *_NIFTI)),
        "pipeline.images.nifti:NiftiFile",
    ),
    "mrc": Format("MRC", (".mrc",), lambda start: start[208:211] == b"MAP", "pipeline.images.mrc:MrcFile"),
    "zarr": Format(
        "Zarr",
        (".zarr.zip", ".zarr"),
        lambda start: start.startswith(b"PK\x03\x04"),
        "pipeline.images.zarr_file:ZarrFile",
    ),
}
#: of the names in a folder that are taken for images; a file that is given on its own is recognised by its content
IMAGE_SUFFIXES = tuple(suffix for format in FORMATS.values() for suffix in format.suffixes)
_OF_FILES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in FORMATS["zarr"].suffixes)
_ZARR_MARKS = (".zarray", ".zgroup", "zarr.json")


def is_image(path: Path) -> bool:
    """Whether something in a folder is taken for an image: a file by its name, in any case; a Zarr by what it holds."""
    if path.is_dir():
        return is_zarr(path)
    return path.name.lower().endswith(_OF_FILES) or is_zipped_zarr(path)


def stem_of(path: str | Path) -> str:
    """The file name without its image suffix.

    Only a known image suffix is cut: `depth-3729.2m` keeps its `.2m`, and `a.nii.gz` is `a`.
    """
    name = Path(path).name
    suffix = next((s for s in IMAGE_SUFFIXES if name.lower().endswith(s)), "")
    return name[: len(name) - len(suffix)]


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((path / mark).is_file() for mark in _ZARR_MARKS)


def is_zipped_zarr(path: Path) -> bool:
    """Whether a file is a zip archive of a Zarr, and not one of anything else."""
    if not path.name.lower().endswith(".zip"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return not set(_ZARR_MARKS).isdisjoint(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def kind_by_content(start: bytes) -> str | None:
    """The kind of image (a key of `FORMATS`) that a file holds, by its first `BEGINNING` bytes; None: no known one."""
    return next((kind for kind, format in FORMATS.items() if format.begins(start)), None)


def kind_of(name: str) -> str:
    """The kind of image (a key of `FORMATS`) at a path or an address, or `folder` for one that is no Zarr.

    Raises:
        FileProblem: it is missing, can't be read, is empty, or of no kind that is known.
    """
    path = Path(name)
    if "://" in name:
        return "zarr"
    try:
        with path.open("rb") as file:
            start = file.read(BEGINNING)
    except OSError as error:
        if path.is_dir():
            return "zarr" if is_zarr(path) else "folder"
        raise cannot_open(path, error) from error
    if not start:
        raise FileProblem(name, "the file is empty (0 bytes)", COPY_AGAIN)
    kind = kind_by_content(start)
    if kind is None:
        raise _unknown(name, start)
    return kind


_EXPORT = "export it as TIFF, with the software that wrote it or with Fiji (Bio-Formats)"
_OTHERS = {
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


def _unknown(name: str, start: bytes) -> FileProblem:
    for mark, problem in _OTHERS.items():
        if start.startswith(mark):
            return FileProblem(name, *problem)
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in start):
        shown = " ".join(start[:40].decode("latin-1").split())
        return FileProblem(
            name, f'it is a text file, not an image (it begins with "{shown}")', "check which file was meant"
        )
    *known, last = (format.name for format in FORMATS.values())
    return FileProblem(name, f"its content is not {', '.join(known)} or {last}", "save the image as TIFF or PNG")


# The classes behind `Image.open`, called directly: `Image.open` refuses images above a global pixel limit that is
# there for web servers, and lifting the limit would change it for the whole process.
_PILLOW: dict[str, Callable[[BinaryIO], Image.Image]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}


def open_with_pillow(stream: BinaryIO, kind: str) -> Image.Image:
    """Read the header of a png, jpeg or bmp file of any size; its pixels are decoded when they are asked for."""
    return _PILLOW[kind](stream)
