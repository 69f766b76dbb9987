"""At which pixel size the network sees a scan: that of its training."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pipeline.microscope.pixel_side import mean_side

logger = logging.getLogger("vlsenet")

#: training zooms its patches by up to this factor either way, so that such a difference needs no resampling
_TRAINED_ZOOM = 1.25
#: beyond it, a finer scan shows details, and a coarser one lacks details, that the training knew nothing of
_FAR = 4.0


def scan_scale(
    pixel_size_nm: tuple[float, float] | None, trained_nm: Sequence[float], name: str
) -> tuple[float, float]:
    """Pixels of the network to one of the scan, along rows and columns; tells what the user should know.

    Args:
        pixel_size_nm: pixel height and width of the scan (nm), if known.
        trained_nm: pixel sizes of the training images (nm); empty where they are not known.
        name: of the scan, for messages.

    Returns:
        (1, 1) where a size is not known, or near one of the training's.
    """
    if not trained_nm:
        if pixel_size_nm is None:
            logger.warning("%s: its pixel size is not known: lengths will be in pixels, unless --pixel_size_nm N", name)
        else:
            logger.info("the model does not know the pixel size of its training images: the scan is taken as it is")
        return 1.0, 1.0
    low, high = min(trained_nm), max(trained_nm)
    trained = f"{low:.4g} nm" if low == high else f"{low:.4g} to {high:.4g} nm"
    if pixel_size_nm is None:
        logger.warning(
            "%s: its pixel size is not known: lengths will be in pixels; and the model was trained at %s, so that the "
            "scale may be wrong: give --pixel_size_nm N",
            name,
            trained,
        )
        return 1.0, 1.0
    height, width = pixel_size_nm
    mean = mean_side(pixel_size_nm)
    target = min(max(mean, low), high)
    if max(height / target, target / height, width / target, target / width) <= _TRAINED_ZOOM:
        return 1.0, 1.0
    scale = height / target, width / target
    factor = max(mean / target, target / mean)
    logger.log(
        logging.WARNING if factor > _FAR else logging.INFO,
        "%s: pixels of %.4g nm are resampled to %.4g nm for the network, which was trained at %s%s",
        name,
        mean,
        target,
        trained,
        f"; that is {factor:.1f} times apart: look at the overlay before you trust the numbers"
        if factor > _FAR
        else "",
    )
    return scale
