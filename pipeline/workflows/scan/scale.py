"""The pixel size at which a scan is shown to the network: that of its training."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pipeline.microscope.pixel_side import mean_side

logger = logging.getLogger("vlsenet")

#: training zooms its patches by up to this factor either way, so smaller differences need no resampling
_TRAINED_ZOOM = 1.25
#: beyond this factor, a scan shows or lacks details unlike any in the training
_FAR = 4.0


def scan_scale(
    pixel_size_nm: tuple[float, float] | None, trained_nm: Sequence[float], name: str
) -> tuple[float, float]:
    """Network pixels per scan pixel, along rows and columns; logs what the user should know.

    Args:
        pixel_size_nm: pixel height and width of the scan (nm), if known.
        trained_nm: pixel sizes of the training images (nm); empty where they are not known.
        name: of the scan, for messages.

    Returns:
        (1, 1) where a size is not known, or near one of the training's.
    """
    if not trained_nm:
        if pixel_size_nm is None:
            logger.warning("%s: pixel size not known, so lengths are in pixels; --pixel_size_nm N sets it", name)
        else:
            logger.info("the pixel size of the model's training images is not known: the scan is not resampled")
        return 1.0, 1.0
    low, high = min(trained_nm), max(trained_nm)
    trained = f"{low:.4g} nm" if low == high else f"{low:.4g} to {high:.4g} nm"
    if pixel_size_nm is None:
        logger.warning(
            "%s: pixel size not known, so lengths are in pixels, and the scale may be wrong for the model, which was "
            "trained at %s; give --pixel_size_nm N",
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
        "%s: resampled from %.4g nm to %.4g nm per pixel for the network, which was trained at %s%s",
        name,
        mean,
        target,
        trained,
        f"; these differ by a factor of {factor:.1f}: check the overlay before trusting the numbers"
        if factor > _FAR
        else "",
    )
    return scale
