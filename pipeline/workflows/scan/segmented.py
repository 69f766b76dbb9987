"""A scan and its finished segmentation, with what was counted of each phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pipeline.engine import BlockCounts, ScanStore, phase_view
from pipeline.foreground.measurement import Foreground
from pipeline.foreground.normalisation import GreyNormalisation
from pipeline.images import ChangedSource, ImageSource
from pipeline.images.microscope.findings import square_side
from pipeline.images.volume import ScanVolume
from pipeline.measure.model_error import ModelError
from pipeline.measure.object_files import ObjectFiles, object_files
from pipeline.measure.porosity import NO_VALIDATION, Porosity, block_counts, measure_porosity
from pipeline.phase_colours import RGB, phase_colours
from pipeline.phases import PORE
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan.first_look import FirstLook
from pipeline.workflows.scan.request import ScanSettings
from pipeline.workflows.scan.voxel import pixel_size_of, slice_spacing_of

#: why an interval is of sampling alone
UNLIKE = "the scan is not like the training images, so how wrong the model is here is not known"


@dataclass(frozen=True)
class SegmentedPhase:
    """One phase of a segmented scan.

    Attributes:
        name: of the phase.
        store: in which it is the mask (`phase_view`).
        blocks: its pixels, and those of rock, in each block.
        porosity: its area fraction, which of pores is the porosity.
        files: of its objects.
        colour: in pictures.
    """

    name: str
    store: ScanStore
    blocks: BlockCounts
    porosity: Porosity
    files: ObjectFiles
    colour: RGB

    @property
    def is_pore(self) -> bool:
        """Whether its area fraction is the porosity."""
        return self.name == PORE


def segmented_phases(
    store: ScanStore,
    entries: Mapping[int, BlockCounts],
    spacing: float,
    errors: Mapping[str, ModelError | None] = MappingProxyType({}),
    why_none: str = NO_VALIDATION,
) -> tuple[SegmentedPhase, ...]:
    """The phases of a finished segmentation.

    Args:
        store: with its pyramid.
        entries: of the journal, of all chunks.
        spacing: distance of slices over the side of a pixel.
        errors: the model's own, of the phases' area fractions, where they are known ...
        why_none: ... and otherwise why not.
    """
    found = []
    named = zip(store.phases, object_files(store.phases), phase_colours(store.phases), strict=True)
    for number, (name, files, colour) in enumerate(named, start=1):
        own = {index: one.of_phase(number) for index, one in entries.items()} if store.labelled else entries
        blocks, porosity = block_counts(store.plan, own), measure_porosity(store.plan, own, spacing)
        porosity = replace(porosity, model_error=errors.get(name), why_none=why_none)
        found.append(SegmentedPhase(name, phase_view(store, number), blocks, porosity, files, colour))
    return tuple(found)


@dataclass(frozen=True)
class SegmentedScan:
    """A scan and its finished segmentation.

    Attributes:
        volume: the scan.
        store: with its pyramid.
        phases: that were asked for.
        pixel_size_nm: side of a pixel (nm), if known.
        slice_spacing_nm: distance of slices (nm), if known.
        normalisation: of the scan as it is stored, by which pictures show blank ground; None: as it is.
    """

    volume: ScanVolume
    store: ScanStore
    phases: Sequence[SegmentedPhase]
    pixel_size_nm: float | None
    slice_spacing_nm: float | None
    normalisation: GreyNormalisation | None = None

    @property
    def pore(self) -> SegmentedPhase | None:
        """The phase pore, if it was asked for."""
        return next((phase for phase in self.phases if phase.is_pore), None)

    @property
    def sizes(self) -> dict[str, Any]:
        """Pixel size and distance of slices, as what writes files takes them."""
        return {"pixel_size_nm": self.pixel_size_nm, "slice_spacing_nm": self.slice_spacing_nm}

    @contextmanager
    def pictured(self, slice_: int) -> Iterator[ImageSource]:
        """A slice as pictures show it, with blank ground clipped: next to a value of -9999, rock has no contrast."""
        with self.volume.slice(slice_, as_stored=True) as source:
            yield source if self.normalisation is None else ChangedSource(source, self.normalisation.clipped)


def segmented_scan(
    model: TrainedModel,
    settings: ScanSettings,
    volume: ScanVolume,
    store: ScanStore,
    entries: Mapping[int, BlockCounts],
    foreground: Foreground,
    look: FirstLook,
) -> SegmentedScan:
    """A scan with its finished segmentation.

    Args:
        model: that segmented it.
        settings: how.
        volume: the scan.
        store: with its pyramid.
        entries: counts of all chunks.
        foreground: measured of the scan.
        look: whether the model knows such scans; its own error holds for these only.
    """
    side, distance = square_side(pixel_size_of(volume, settings)), slice_spacing_of(volume, settings)
    # as in the file formats, if one of them is not known
    spacing = 1.0 if side is None or distance is None else distance / side
    errors = {name: model.error_of(name) for name in store.phases} if look.is_known else {}
    phases = segmented_phases(store, entries, spacing, errors, NO_VALIDATION if look.is_known else UNLIKE)
    # its limits are those of the inverted scan
    normalisation = None if settings.invert else foreground.normalisation
    return SegmentedScan(volume, store, phases, side, distance, normalisation)
