"""What a file is that is no image of a known kind, in words."""

from __future__ import annotations

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
