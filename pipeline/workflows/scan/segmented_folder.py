"""The finished segmentation in a folder of results, with its scan."""

from __future__ import annotations

from pathlib import Path

from pipeline.engine import request_hash
from pipeline.foreground.measurement import Foreground
from pipeline.images.volume import ScanVolume
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan.first_look import FirstLook
from pipeline.workflows.scan.reopened import reopened
from pipeline.workflows.scan.request import ScanSettings, planned
from pipeline.workflows.scan.results import JOURNAL
from pipeline.workflows.scan.segmentation import FOREGROUND
from pipeline.workflows.scan.segmented import SegmentedScan, segmented_scan


def segmented_in_folder(
    folder: Path, volume: ScanVolume, model: TrainedModel, settings: ScanSettings
) -> tuple[SegmentedScan, FirstLook]:
    """The scan with the segmentation that `ScanSegmentation` has finished, which stays on the disk.

    Args:
        folder: of the results.
        volume: the scan.
        model: that segmented it.
        settings: how.

    Raises:
        UserError: the folder holds no finished segmentation.
    """
    found = reopened(folder)
    _, windows = planned(volume, settings, found.request)
    prediction, key = settings.prediction, request_hash(found.request)
    kept = folder / JOURNAL / FOREGROUND
    with volume:
        foreground = Foreground.kept(kept, volume, windows, prediction.skip_empty, prediction.shading, key)
        look = FirstLook.from_dict(found.manifest["familiarity"])
        return segmented_scan(model, settings, volume, found.store, found.entries, foreground, look), look
