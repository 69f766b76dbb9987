"""How large a pixel of a scan is, and how far its slices are apart: as the user, the file or its scale bar says."""

from __future__ import annotations

import logging
from dataclasses import replace

from pipeline.errors import UserError
from pipeline.images.microscope.findings import mean_side, same, square_side
from pipeline.images.microscope.scale_bar import SCALE_BAR, ScaleBar, find_scale_bar, scale_doubt
from pipeline.images.microscope.text_recognition import INSTALL, can_read_text
from pipeline.images.volume import ScanVolume
from pipeline.workflows.scan.request import ScanSettings

logger = logging.getLogger("vlsenet")

#: pixel sizes of electron and light microscopes and of CT (nm); another one is probably in another unit
_USUAL_NM = (0.1, 1e5)


def pixel_size_of(volume: ScanVolume, settings: ScanSettings) -> tuple[float, float] | None:
    """Pixel height and width (nm), if known."""
    if settings.given_size_nm is not None:
        return settings.given_size_nm, settings.given_size_nm
    return volume.acquisition.pixel_size_nm


def slice_spacing_of(volume: ScanVolume, settings: ScanSettings) -> float | None:
    """Distance of slices (nm), if known; the file's not where the user contradicts the file's pixel size.

    Both come from one header.
    """
    if settings.slice_spacing_nm is not None:
        return settings.slice_spacing_nm
    return None if _overruled(volume, settings) else _stored_spacing(volume)


def log_voxel(volume: ScanVolume, settings: ScanSettings) -> None:
    """Log the sizes, and warn of what the results will lack."""
    size, spacing = pixel_size_of(volume, settings), slice_spacing_of(volume, settings)
    if settings.given_size_nm is not None:
        _log_given_size(volume, settings.given_size_nm, _overruled(volume, settings))
    elif size is not None and square_side(size) is None:
        logger.warning(
            "%s: pixels are %.4g nm wide and %.4g nm high, not square, so lengths and areas are given in pixels; "
            "resample the scan to square pixels to get nm",
            volume.path,
            size[1],
            size[0],
        )
    if volume.depth == 1:
        return
    if spacing is not None:
        source = "as the file says" if settings.slice_spacing_nm is None else "as given"
        logger.info("slice spacing: %.6g nm, %s", spacing, source)
    elif size is not None:
        stored = _stored_spacing(volume)
        why = "not known" if stored is None else f"({stored:.6g} nm) not used, as the file's pixel size is not either"
        logger.warning(
            "%s: slice spacing %s: volumes are in voxels, and OME-Zarr and NIfTI files get slices one pixel size "
            "apart; give --slice_spacing_nm N",
            volume.path,
            why,
        )


def _log_given_size(volume: ScanVolume, given: float, overruled: tuple[float, float] | None) -> None:
    if overruled is not None:
        logger.warning(
            "%s: pixel size: %.6g nm, as given, although the file says %.6g nm; without --pixel_size_nm the file's is "
            "used",
            volume.path,
            given,
            mean_side(overruled),
        )
    elif not _USUAL_NM[0] <= given <= _USUAL_NM[1]:
        logger.warning(
            "%s: pixel size: %.6g nm, as given, which is unusual for a microscope: --pixel_size_nm is in nm "
            "(1 um is 1000)",
            volume.path,
            given,
        )
    else:
        logger.info("pixel size: %.6g nm, as given", given)


def _stored_spacing(volume: ScanVolume) -> float | None:
    return None if volume.depth == 1 else volume.acquisition.slice_spacing_nm


def _overruled(volume: ScanVolume, settings: ScanSettings) -> tuple[float, float] | None:
    """The file's pixel size (nm), where the user gives another."""
    stored = volume.acquisition.pixel_size_nm
    given = settings.given_size_nm
    if given is None or stored is None or all(same(given, side) for side in stored):
        return None
    return stored


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
        sources={**volume.acquisition.sources, "pixel_size": f"scale bar, {bar.describe()}"},
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
