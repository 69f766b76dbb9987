"""Segmentations of whole scans within a process: memory, time, the network alone, MONAI's sliding window."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from _memory import own_peak
from _timing import seconds, spread
from monai.inferers import SlidingWindowInferer

from pipeline.engine import ScanStore
from pipeline.engine.certificate import Seam
from pipeline.engine.prediction import ChunkPredictor, PredictionSettings
from pipeline.engine.scan_predictor import predictor_for
from pipeline.foreground.measurement import Foreground
from pipeline.images.rectangles import Window
from pipeline.images.volume import ScanVolume, open_volume
from pipeline.memory import keep_freed_memory
from pipeline.text import DEFAULT_PROMPT
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from pipeline.workflows import ScanSegmentation, ScanSettings, load_model
from pipeline.workflows.scan import segmentation as engine
from pipeline.workflows.scan.results import MANIFEST, STORE

keep_freed_memory()  # as the commands do

#: what a segmentation calls after its chunks, and the name of the stage; the certificate comes beside the summary
_STAGES = {"build_pyramid": "pyramid", "write_summary": "summary", "write_results": "results"}
#: channels of a segmentation
MASK, PROBABILITY = 0, 1


@dataclass(frozen=True)
class Case:
    """What is segmented, and how.

    Attributes:
        scan: the file.
        model: the model file.
        chunk_size: side of a chunk (px); None: as the engine chooses.
        precision: as in `autocast`.
        device: where the network runs.
        report: measure every pore and write the report too.
        flatten_shading: take shading out of the scan.
        windows: how many windows the network sees; the others, a threshold of their grey values, whose time is next to
            nothing, while the memory is as before. None: all.
    """

    scan: Path
    model: Path
    chunk_size: int | None = None
    precision: str = "auto"
    device: str = "cpu"
    report: bool = False
    flatten_shading: bool = True
    windows: int | None = None

    def settings(self, threshold: float) -> ScanSettings:
        """Of the engine; a pixel is pore from `threshold` on."""
        return ScanSettings(
            DEFAULT_PROMPT,
            (threshold,),
            PredictionSettings(
                chunk_size=self.chunk_size, precision=self.precision, flatten_shading=self.flatten_shading
            ),
            report=self.report,
        )


def segment(case: Case, folder: Path, keep: bool = False) -> dict[str, Any]:
    """Segment a scan from its file to the finished output on the disk.

    Returns:
        `seconds`; `stages`, the seconds of each; what the manifest says of chunks, halo, batch; memory (MB): that of
        the process `before_mb` and its `peak_mb`.
    """
    model = load_model(str(case.model), case.device)
    device = torch.device(case.device)
    before = own_peak()
    with _timed_stages() as stages, _network_for(case.windows):
        total = seconds(ScanSegmentation(str(case.scan), folder, model, case.settings(model.threshold)).run, device)
    manifest = json.loads((folder / MANIFEST).read_text())
    if not keep:
        shutil.rmtree(folder)
    inside = {name: value for name, value in manifest["seconds_of_this_run"].items() if name != "all"}
    stages = {**inside, **stages}
    return {
        "seconds": total,
        "stages": {**stages, "rest": total - sum(stages.values())},
        **{name: manifest["request"][name] for name in ("chunk_size", "halo", "batch")},
        "seam_certificate": manifest["seam_certificate"],
        "before_mb": before,
        "peak_mb": own_peak(),
    }


class BareNetwork:
    """The network as a segmentation runs it, and nothing else: on the same windows, in the same batches.

    Args:
        case: what is segmented.
        sizes: `chunk_size`, `halo` and `batch` of the segmentation.
    """

    def __init__(self, case: Case, sizes: dict[str, int]) -> None:
        self.device, self.batch = torch.device(case.device), sizes["batch"]
        self.volume = open_volume(str(case.scan))
        plan = ChunkPlan(*self.volume.shape, chunk=sizes["chunk_size"])
        self.windows = Windows(plan, sizes["halo"], uniform=self.batch > 1)
        self.foreground = Foreground.measured(
            self.volume, self.windows, skip_empty=True, flatten_shading=case.flatten_shading
        )
        self.run = network_of_scan(case, self.volume, self.windows, self.foreground)

    def __call__(self) -> float:
        """Seconds in the network, with the windows read and normalised before the clock runs."""
        spent = 0.0
        for pixels in self._batches():
            windows = torch.from_numpy(pixels).to(self.device)
            with torch.no_grad():
                spent += seconds(lambda windows=windows: self.run(windows), self.device)
        return spent

    @property
    def share(self) -> float:
        """Pixels that go through the network, halos included, over the pixels of the scan."""
        plan = self.windows.plan
        return sum(window.height * window.width for window in self._windows()) / (plan.height * plan.width)

    def _windows(self) -> list[Window]:
        return [self.windows.around(self.windows.plan[index]) for index in range(len(self.windows.plan))]

    def _batches(self) -> Iterator[np.ndarray]:
        windows = iter(self._windows())
        while together := list(islice(windows, self.batch)):
            together += together[-1:] * (self.batch - len(together))  # the last batch is filled, as by the engine
            yield np.stack([self._normalised(*window) for window in together])[:, None]

    def _normalised(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        high, wide = (min(height, self.volume.shape[0] - top), min(width, self.volume.shape[1] - left))
        pixels = self.foreground.normalisation.normalised(self.volume.read(0, top, left, high, wide), 0, top, left)
        return np.pad(pixels, [(0, height - high), (0, width - wide)], mode="edge")


def network_of_scan(
    case: Case, volume: ScanVolume, windows: Windows, foreground: Foreground
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network with its statistics fixed to a scan, as a segmentation makes it."""
    model, settings = load_model(str(case.model), case.device), PredictionSettings(precision=case.precision)
    features, device = model.text.get(DEFAULT_PROMPT), torch.device(case.device)
    return predictor_for(volume, windows, foreground, model.network, features, settings, 1, device).network


def compare_time(case: Case, folder: Path, repeats: int) -> dict[str, Any]:
    """Time of segmentations over that of the network alone, taking turns in this process.

    A segmentation before the first turn does not count: the system hands out memory page by page to who asks first, and
    the network alone, which comes second, would find it there.

    Returns:
        `first` (seconds of the one that does not count), `end_to_end` and `network` (seconds of each turn), their
        `ratio` (spread), `stages` (median seconds), `share` of the pixels that go through the network, and the sizes.
    """
    first = segment(case, folder)
    bare = BareNetwork(case, first)
    runs, alone = [], []
    for _ in range(repeats):
        runs.append(segment(case, folder))
        alone.append(bare())
    stages = {name: float(np.median([run["stages"][name] for run in runs])) for name in first["stages"]}
    return {
        "first": first["seconds"],
        "end_to_end": [run["seconds"] for run in runs],
        "network": alone,
        "ratio": spread([run["seconds"] / one for run, one in zip(runs, alone, strict=True)]),
        "stages": stages,
        "share": bare.share,
        **{name: first[name] for name in ("chunk_size", "halo", "batch", "seam_certificate")},
    }


def slide(case: Case, ours: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """MONAI's SlidingWindowInferer on a scan: windows of the same size, overlapping by the two halos.

    The whole image is read and normalised, the probability is kept in memory, and nothing is written.

    Args:
        case: what is segmented.
        ours: folder of the engine's segmentation of it.
        sizes: `chunk_size`, `halo` and `batch` of that.

    Returns:
        `seconds` and memory as in `segment`, and the differences of probability and mask between the two, in steps of
        1/255, as the engine stores it.
    """
    bare = BareNetwork(case, sizes)
    side = sizes["chunk_size"] + 2 * sizes["halo"]
    inferer = SlidingWindowInferer(side, sizes["batch"], overlap=2 * sizes["halo"] / side, mode="gaussian")
    before = own_peak()
    start = time.perf_counter()
    height, width = bare.volume.shape
    image = torch.from_numpy(bare._normalised(0, 0, height, width))[None, None].to(bare.device)
    with torch.no_grad():
        probability = inferer(image, bare.run).float().sigmoid()[0, 0].cpu()
    total = time.perf_counter() - start
    peak = own_peak()
    del image
    seam = Seam.between(
        torch.from_numpy(stored(ours, bare.windows.plan, PROBABILITY) / np.float32(255))[None],
        (probability * 255).round()[None] / 255,
        load_model(str(case.model)).thresholds,
    )
    return {"seconds": total, "before_mb": before, "peak_mb": peak, "window": side, **vars(seam)}


def stored(folder: Path, plan: ChunkPlan, channel: int) -> np.ndarray:
    """A channel (H, W) of a finished segmentation, uint8."""
    return ScanStore.open(folder / STORE, plan).read_area(0, channel, 0)


#: of normalised grey values: a tenth of the synthetic scans is darker, as of rock
_DARK = -1.1


@contextmanager
def _network_for(windows: int | None) -> Iterator[None]:
    """Segmentations whose network sees so many windows only, as `Case.windows` says."""
    make = engine.predictor_for

    def predictor(*arguments: Any, **options: Any) -> ChunkPredictor:
        made = make(*arguments, **options)
        network, left = made.network, iter(range(windows or 0))

        def run(pixels: torch.Tensor, *around: torch.Tensor) -> torch.Tensor:
            return 6 * (_DARK - pixels[:, :1]) if next(left, None) is None else network(pixels, *around)

        made.network = run
        return made

    if windows is None:
        yield
        return
    with mock.patch.object(engine, "predictor_for", predictor):
        yield


@contextmanager
def _timed_stages() -> Iterator[dict[str, float]]:
    """Seconds that the engine spends in what it calls after the chunks."""
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return work(*arguments, **options)
            finally:
                spent[name] = time.perf_counter() - start

        return wrapper

    with ExitStack() as patches:
        for attribute, name in _STAGES.items():
            patches.enter_context(mock.patch.object(engine, attribute, timed(name, getattr(engine, attribute))))
        yield spent
