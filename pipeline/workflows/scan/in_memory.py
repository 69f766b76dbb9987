"""A scan segmented in memory: the steps of `ScanSegmentation`, with nothing on the disk and nothing to resume."""

from __future__ import annotations

import threading

from pipeline.engine import BlockCounts, build_pyramid
from pipeline.engine.chunk_writer import write_chunks
from pipeline.engine.memory_store import MemoryStore
from pipeline.engine.scan_predictor import predictor_for
from pipeline.foreground.measurement import Foreground
from pipeline.images.storage import THREADS
from pipeline.images.volume import ScanVolume
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan.first_look import FirstLook
from pipeline.workflows.scan.request import ScanSettings, planned, refuse_channels, scan_request
from pipeline.workflows.scan.segmented import SegmentedScan, segmented_scan
from pipeline.workflows.scan.voxel import log_voxel, pixel_size_of


class CountedChunks:
    """What was counted in each finished chunk."""

    def __init__(self) -> None:
        self.entries: dict[int, BlockCounts] = {}
        self._lock = threading.Lock()

    def add(self, index: int, counts: BlockCounts) -> None:
        """As `Journal.add`."""
        with self._lock:
            self.entries[index] = counts


def segment_in_memory(
    volume: ScanVolume, model: TrainedModel, settings: ScanSettings
) -> tuple[SegmentedScan, FirstLook]:
    """Segment a scan by the engine of `vlsenet segment`; the same pixels get the same bytes.

    Args:
        volume: the scan; it may be read again for pictures of the result.
        model: what segments; its text store knows the prompt.
        settings: how.

    Returns:
        The scan with its segmentation, in memory, and whether the model knows such scans.

    Raises:
        UserError: as `ScanSegmentation.run`.
    """
    refuse_channels(model)
    log_voxel(volume, settings)
    request = scan_request(volume, model, settings, pixel_size_of(volume, settings), {}, 1)
    plan, windows = planned(volume, settings, request)
    prediction = settings.prediction
    foreground = Foreground.measured(volume, windows, prediction.skip_empty, prediction.shading)
    look = FirstLook.at(model, volume, windows, foreground)
    predictor = predictor_for(
        volume,
        windows,
        foreground,
        model.network,
        model.text.together(settings.prompt),
        prediction,
        request["batch"],
        model.device,
        model.logits_of(settings.phases),
    )
    store, counted = MemoryStore(plan, settings.names), CountedChunks()
    write_chunks(predictor, store, counted, settings.threshold, range(len(plan)))
    build_pyramid(store, threads=THREADS)
    entries = dict(sorted(counted.entries.items()))
    return segmented_scan(model, settings, volume, store, entries, foreground, look), look
