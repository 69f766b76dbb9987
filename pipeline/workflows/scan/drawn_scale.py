"""The scale bar that is drawn in a scan: taken for the pixel size where the user asks for it, else offered."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import MappingProxyType

from pipeline.errors import UserError
from pipeline.images.microscope.scale_bar import SCALE_BAR, ScaleBar, find_scale_bar, scale_doubt
from pipeline.images.microscope.text_recognition import INSTALL, can_read_text
from pipeline.images.volume import ScanVolume

logger = logging.getLogger("vlsenet")


def take_scale_bar(volume: ScanVolume) -> ScaleBar:
    """Give a scan the pixel size of its bar, with a warning where its file says another one.

    Args:
        volume: the scan, whose `acquisition` is changed; of several slices the first counts.

    Raises:
        UserError: no bar could be read, or the library that reads it is missing.
    """
    asked = f"--pixel_size_nm {SCALE_BAR}"
    if not can_read_text():
        raise UserError(f"{volume.path}: {asked} needs a library that reads text: {INSTALL}")
    bar = _bar_of(volume)
    if bar is None:
        raise UserError(f"{volume.path}: {asked}: no scale bar could be read with certainty; give the size in nm")
    doubt = scale_doubt(bar, volume.acquisition)
    size = float(f"{bar.nm_per_pixel:.6g}")  # the same on each machine, so that a scan goes on where it stopped
    volume.acquisition = replace(
        volume.acquisition,
        pixel_height_nm=size,
        pixel_width_nm=size,
        slice_spacing_nm=None if doubt else volume.acquisition.slice_spacing_nm,
        sources=MappingProxyType({**volume.acquisition.sources, "pixel_size": f"scale bar, {bar.describe()}"}),
        warnings=(*volume.acquisition.warnings, *([doubt] if doubt else [])),
    )
    return bar


def offer_scale_bar(volume: ScanVolume) -> None:
    """Log what the bar of a scan without a pixel size says; it is not used."""
    if not can_read_text():
        if volume.rows.number < volume.shape[0]:
            logger.info("%s: a scale bar in its info bar can be read with: %s", volume.path, INSTALL)
        return
    bar = _bar_of(volume)
    if bar is not None:
        logger.info("%s: scale bar: %s; --pixel_size_nm %s takes it", volume.path, bar.describe(), SCALE_BAR)


def _bar_of(volume: ScanVolume) -> ScaleBar | None:
    with volume.slice(0, as_stored=True) as source:
        return find_scale_bar(source, volume.rows)
