"""Reading SEM images and label images from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from pipeline.errors import FileProblem
from pipeline.images.decoders import Decoded, decode
from pipeline.wording import NAME_IS_NO_TEXT, printable

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".png", ".tiff", ".tif", ".bmp", ".jpeg", ".jpg")

#: the folders of images and of masks in a data set
LAYOUTS = (("images", "labels"), ("patch_images", "patch_mask"))

# ITU-R BT.601 luma, the weights that Pillow, OpenCV and ImageJ's "weighted" conversion use
_LUMA = np.array([0.299, 0.587, 0.114])


def is_image(path: Path) -> bool:
    """Return whether the file's suffix is one of `IMAGE_SUFFIXES`, in any case."""
    return path.name.lower().endswith(IMAGE_SUFFIXES)


def stem_of(path: str | Path) -> str:
    """Return the file name without its image suffix.

    Only a known image suffix is cut: `depth-3729.2m` keeps its `.2m`, and `a.nii.gz` is `a`.
    """
    name = Path(path).name
    suffix = next((s for s in IMAGE_SUFFIXES if name.lower().endswith(s)), "")
    return name[: len(name) - len(suffix)]


def read_image(path: str | Path) -> np.ndarray:
    """Read a 2-D image as grey values.

    Colour becomes grey: one channel where all are the same, else BT.601 luma. Alpha is ignored, a palette is
    applied, a TIFF stored with "white is zero" is turned so that larger is brighter, and 1 bit becomes 0 and 255.

    Args:
        path: A png, tif(f), bmp, jp(e)g, nii or nii.gz file.

    Returns:
        (H, W), rows from top to bottom; uint8 or uint16 where the file has them, else float32.

    Raises:
        UserError: The file is missing, unreadable, or not one 2-D image.
    """
    path = Path(path)
    return grey_from(decode(read_bytes(path), path), path)


def read_label(path: str | Path) -> np.ndarray:
    """Read a label image: one integer class per pixel.

    Values are kept as stored, also those of 2 and 4 bits. A 1-bit file gives 0 and 255. A palette of greys is applied
    (image optimisers write masks so); with any colour in it, the indices are the classes (as in Pascal VOC). A JPEG of
    a black-and-white mask is cut at 128, since compression smears its edges; any other JPEG is refused.

    Args:
        path: A file as for `read_image`.

    Returns:
        (H, W) integers.

    Raises:
        UserError: As `read_image`; also for colour, for values that are not whole numbers, and for a JPEG that
            is not black and white.
    """
    path = Path(path)
    return label_from(decode(read_bytes(path), path), path)


def read_bytes(path: Path) -> bytes:
    """Return the whole file.

    Raises:
        FileProblem: It is missing, can't be read, or has a name that results could not name.
    """
    if (name := printable(str(path))) != str(path):
        raise FileProblem(Path(name), *NAME_IS_NO_TEXT)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileProblem(path, "no such file", "check the path") from error
    except IsADirectoryError as error:
        raise FileProblem(path, "it is a folder, not an image file", "give one file") from error
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise FileProblem(path, f"it can't be opened ({cause})", "check its permissions and the disk") from error


def grey_from(decoded: Decoded, path: Path) -> np.ndarray:
    """Return decoded pixels as grey values, (H, W); see `read_image`."""
    pixels = decoded.pixels
    if decoded.palette is not None:
        pixels = _apply(decoded.palette, pixels, path)
    if pixels.ndim == 3:
        pixels = _one_channel(pixels)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * 255
    if np.iscomplexobj(pixels):
        raise FileProblem(path, "its pixels are complex numbers", "save its magnitude as an image")
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        pixels = pixels.astype(np.float32)
    if decoded.white_is_zero:
        pixels = (-pixels) if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max - pixels
    return pixels


def label_from(decoded: Decoded, path: Path) -> np.ndarray:
    """Return decoded pixels as integer classes, (H, W); see `read_label`."""
    pixels = decoded.pixels
    if decoded.palette is not None and (decoded.palette == decoded.palette[:, :1]).all():
        pixels = _apply(decoded.palette, pixels, path)
    if pixels.ndim == 3:
        colours = pixels[..., :1] if pixels.shape[-1] == 2 else pixels[..., :3]
        if (colours != colours[..., :1]).any():
            remedy = "save it with one grey value per class (0 background, 1 pore, say)"
            if decoded.kind == "jpeg":
                remedy += ", and not as JPEG"
            raise FileProblem(path, "it is a colour image, but a label is needed here", remedy)
        pixels = colours[..., 0]
    if pixels.dtype == bool:
        # displayed values: a 1-bit "white is zero" file is what scanners and fax codecs write
        return np.where(pixels != decoded.white_is_zero, 255, 0).astype(np.uint8)
    if decoded.kind == "jpeg":
        return _cut_jpeg(pixels, path)
    if pixels.dtype.kind in "iu":
        return pixels // decoded.step if decoded.step > 1 else pixels
    whole = pixels.astype(np.float64) if pixels.dtype.kind == "f" else np.full(pixels.shape, np.nan)
    if not np.isfinite(whole).all() or (whole != np.round(whole)).any():
        what = "its values are not whole numbers, but a label has one class number per pixel"
        raise FileProblem(path, what, "round it or threshold it, and save it as an 8-bit image")
    return whole.astype(np.int64)


def _apply(palette: np.ndarray, indices: np.ndarray, path: Path) -> np.ndarray:
    if indices.max(initial=0) >= len(palette):
        raise FileProblem(path, "it is damaged (a pixel is outside its palette)", "save it again as grey PNG or TIFF")
    return palette[indices]


def _one_channel(pixels: np.ndarray) -> np.ndarray:
    """Return (H, W) from (H, W, C)."""
    if pixels.shape[-1] < 3 or (pixels[..., :3] == pixels[..., :1]).all():
        return pixels[..., 0]
    grey = pixels[..., :3] @ _LUMA
    return np.rint(grey).astype(pixels.dtype) if pixels.dtype.kind in "iu" else grey.astype(pixels.dtype)


def _cut_jpeg(pixels: np.ndarray, path: Path) -> np.ndarray:
    """Threshold a black-and-white mask that went through JPEG.

    Compression smears values near edges only, so a pixel whose neighbours are like it still shows the class that
    was drawn. Where such pixels are neither black nor white, there were other classes, and they are lost.
    """
    spread = maximum_filter(pixels, 3).astype(int) - minimum_filter(pixels, 3)
    flat = pixels[spread <= 16]
    between = np.count_nonzero((flat > 40) & (flat < 215))
    dim = pixels.max(initial=0) <= 40 and pixels.any()  # classes 0, 1, 2: nothing to tell them by
    if dim or between > 0.002 * pixels.size:
        what = "it is a JPEG with more than black and white, and JPEG changes values"
        raise FileProblem(path, what, "export the label again as PNG or TIFF")
    return np.where(pixels >= 128, 255, 0).astype(np.uint8)
