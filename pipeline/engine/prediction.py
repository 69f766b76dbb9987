"""The prediction engine: the probability of each phase, window by window."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from monai.inferers import Merger, PatchInferer, Splitter

from pipeline.engine.pinned_network import WindowNetwork
from pipeline.errors import UserError
from pipeline.foreground.coarse import CoarseMicrograph
from pipeline.foreground.measurement import Foreground, ShadingChoice
from pipeline.images.rectangles import Part, Window
from pipeline.images.storage import THREADS
from pipeline.images.volume import ScanVolume
from pipeline.tiling.windows import Windows, at_network_scale, axis_weights, resampled

logger = logging.getLogger("vlsenet")

#: imaged pixels of the largest scan or stack that is mirrored unless asked otherwise: there it costs seconds at most
MIRRORED = 2048 * 2048

#: takes the number of a chunk and its probability of each phase (K, H, W), float32
Sink = Callable[[int, np.ndarray], None]


@dataclass(frozen=True)
class Surroundings:
    """What lies around the windows of a scan, as a network sees it.

    Attributes:
        coarse: the scan at an eighth of its resolution.
        reach: of the network, beyond the window (px).
    """

    coarse: CoarseMicrograph
    reach: int

    def view(self, slice_: int, window: Window) -> torch.Tensor:
        """The view (1, 2, h, w) of a window at the network's scale."""
        return torch.from_numpy(self.coarse.view(slice_, window, self.reach))[None]


@dataclass(frozen=True)
class PredictionSettings:
    """How a network is applied to an image or a scan: the same in every command.

    Attributes:
        halo: border read around each chunk (px, at the network's scale), a multiple of 16.
        chunk_size: side of a chunk (px), a multiple of 16; None: as `fitting_sizes` says.
        batch: windows in one forward pass; None: by the device's memory.
        precision: of the convolutions: `auto`, `float32` or `bfloat16`.
        statistics: `micrograph` (of all norms, pinned to the image) or `network` (each norm in its own way).
        flatten_shading: remove slow changes of brightness; or `both`: the network sees images without and with them;
            None: not chosen.
        skip_empty: find empty ground around the rock, which holds no pore.
        rescale: resample an image of another pixel size to that of the training, where both are known.
        mirror: average over four mirrorings of each window; `auto`: of an image of up to `MIRRORED` pixels.
    """

    halo: int = 128
    chunk_size: int | None = None
    batch: int | None = None
    precision: str = "auto"
    statistics: str = "micrograph"
    flatten_shading: ShadingChoice | None = None
    skip_empty: bool = True
    rescale: bool = True
    mirror: bool | str = "auto"

    @property
    def shading(self) -> ShadingChoice:
        """What is done with shading; it is removed where nothing was chosen."""
        return True if self.flatten_shading is None else self.flatten_shading

    def with_shading(self, usual: ShadingChoice) -> PredictionSettings:
        """The same, with shading as `usual` says where nothing was chosen."""
        return replace(self, flatten_shading=usual) if self.flatten_shading is None else self

    def mirrors(self, volume: ScanVolume) -> bool:
        """Whether the windows of a scan are mirrored."""
        pixels = volume.depth * volume.rows.number * volume.shape[1]
        return pixels <= MIRRORED if self.mirror == "auto" else bool(self.mirror)

    @property
    def quick(self) -> PredictionSettings:
        """The same, without mirrorings where the size would decide."""
        return replace(self, mirror=self.mirror is True)

    @property
    def recorded(self) -> dict[str, Any]:
        """What changes the numbers by more than rounding, by name: for manifests and summaries."""
        settings = {name: value for name, value in asdict(self).items() if name not in ("chunk_size", "batch")}
        return {**settings, "flatten_shading": self.shading}


class WindowSplitter(Splitter):
    """MONAI's splitter for scans: from numbers of chunks to windows, read ahead of the network and normalised.

    Memory depends on the windows, not on the scan.

    Args:
        volume: the scan.
        windows: where the network looks.
        foreground: of the scan.
        ahead: windows that are read ahead at most.
        surroundings: what lies around windows, where the network sees it.

    Attributes:
        views: of the windows that were given out and not yet taken, in their order: MONAI's inferer passes on nothing
            beside the windows.
    """

    def __init__(
        self,
        volume: ScanVolume,
        windows: Windows,
        foreground: Foreground,
        ahead: int,
        surroundings: Surroundings | None = None,
    ) -> None:
        super().__init__(patch_size=windows.plan.chunk)
        self._volume, self._windows, self._foreground, self._ahead = volume, windows, foreground, ahead
        self._surroundings = surroundings
        self.views: deque[torch.Tensor] = deque()

    def get_input_shape(self, inputs: Sequence[int]) -> tuple[int, ...]:
        """Height and width of the output."""
        return self._windows.plan.shape[1:]

    def get_padded_shape(self, inputs: Sequence[int]) -> tuple[int, ...]:
        """As `get_input_shape`: only windows reach beyond the image."""
        return self.get_input_shape(inputs)

    def __call__(self, inputs: Sequence[int]) -> Iterator[tuple[torch.Tensor, tuple[int]]]:
        """Windows (1, C, h, w) of chunks, in the order of their numbers, each with the number as its location.

        Raises:
            UserError: a part of the scan can't be read.
        """
        order = iter(inputs)
        ahead: deque[tuple[int, Future[torch.Tensor]]] = deque()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="reader") as readers:

            def read_ahead() -> None:
                for index in islice(order, max(0, self._ahead - len(ahead))):
                    part = self._windows.imaged(self._windows.plan[index])
                    ahead.append((index, readers.submit(self.read, part)))

            try:
                read_ahead()
                while ahead:
                    index, reading = ahead.popleft()
                    read_ahead()
                    window = reading.result()
                    if self._surroundings is not None:
                        part = self._windows.imaged(self._windows.plan[index])
                        self.views.append(self._surroundings.view(part.slice, self._windows.around(part)))
                    yield window, (index,)
            finally:
                for _, reading in ahead:
                    reading.cancel()

    def read(self, part: Part) -> torch.Tensor:
        """The window (1, C, h, w) of an imaged part: by the threads that read, while the network runs."""
        windows, window = self._windows, self._windows.around(part)
        high, wide = windows.shape
        inside = min(window.height, high - window.top), min(window.width, wide - window.left)
        with self._volume.slice(part.slice) as source:
            pixels = at_network_scale(source, windows).read(window.top, window.left, *inside)
        normalisation = self._foreground.normalisation
        seen = normalisation.network_input(pixels, part.slice, window.top, window.left, windows.scale)
        if inside != window[2:]:  # as the network itself pads what is no multiple of its poolings
            outside = [(0, 0), (0, window.height - inside[0]), (0, window.width - inside[1])]
            seen = np.pad(seen, outside, mode="edge")
        return torch.from_numpy(seen)[None]


class ChunkMerger(Merger):
    """MONAI's merger for scans: cuts a window's probability down to its chunk, at the scan's scale, and passes it on.

    Args:
        merged_shape: MONAI's; not used.
        cropped_shape: likewise.
        windows: where the network looked.
        sink: takes each chunk.
    """

    def __init__(
        self, merged_shape: Sequence[int], cropped_shape: Sequence[int] | None = None, *, windows: Windows, sink: Sink
    ) -> None:
        super().__init__(merged_shape, cropped_shape)
        self._windows, self._sink = windows, sink

    def aggregate(self, values: torch.Tensor, location: Sequence[int]) -> None:
        """Pass on the chunk of a window's probability (1, K, h, w); its location is the chunk's number."""
        (index,) = location
        whole = self._windows.plan[index]
        part = self._windows.imaged(whole)
        chunk = at_scan_scale(values[0].numpy(), self._windows, part)
        if below := whole.height - part.height:
            chunk = np.pad(chunk, [(0, 0), (0, below), (0, 0)])
        self._sink(index, chunk)

    def finalize(self) -> None:
        """Nothing is left to be merged."""


def at_scan_scale(probability: np.ndarray, windows: Windows, part: Part) -> np.ndarray:
    """Probability (K, H, W) of an imaged part, at the scan's scale, from that of its window (K, h, w)."""
    plan, (high, wide), window = windows.plan, windows.shape, windows.around(part)
    y, x = plan.region.y + part.y, plan.region.x + part.x
    if windows.scale == (1, 1):
        top, left = y - window.top, x - window.left
        return probability[:, top : top + part.height, left : left + part.width]
    down, across = (
        axis_weights(start, count, 1 / scale, length, limit)[2]
        for start, count, scale, length, limit in (
            (y, part.height, windows.scale[0], high, (window.top, window.height)),
            (x, part.width, windows.scale[1], wide, (window.left, window.width)),
        )
    )
    return np.stack([resampled(phase, down, across) for phase in probability])


@dataclass
class ChunkPredictor:
    """Runs a network over the chunks of a scan.

    Attributes:
        volume: the scan.
        windows: where the network looks.
        network: called on windows (N, C, h, w), normalised, on the device, and their views; gives logits (N, K, h, w).
        foreground: where the scan shows rock, and how it is normalised.
        batch: windows in one forward pass; halved where a GPU's memory does not hold them.
        device: where the network runs.
        phases: K, the phases that it is asked for.
        logits: which of the network's logits are theirs; None: all, in that order.
        surroundings: what lies around windows; None: the network does not see it.
    """

    volume: ScanVolume
    windows: Windows
    network: WindowNetwork
    foreground: Foreground
    batch: int
    device: torch.device
    phases: int = 1
    logits: Sequence[int] | None = None
    surroundings: Surroundings | None = None

    def __call__(self, indices: Sequence[int], sink: Sink) -> None:
        """Predict chunks; those without rock, which come first, are 0 and not sent through the network.

        Args:
            indices: numbers of the chunks.
            sink: takes each chunk's number and probability (K, H, W), float32; 0 where it was not imaged.

        Raises:
            UserError: a part of the scan can't be read, or one window alone is too large for the device.
        """
        plan = self.windows.plan
        chunks = {index: plan[index] for index in indices}
        empty = [index for index, chunk in chunks.items() if self.foreground.is_empty(plan, chunk)]
        for index in empty:
            sink(index, np.zeros((self.phases, chunks[index].height, chunks[index].width), np.float32))
        if rock := [index for index in indices if index not in set(empty)]:
            ahead = 2 * self.batch
            splitter = WindowSplitter(self.volume, self.windows, self.foreground, ahead, self.surroundings)
            inferer = PatchInferer(splitter, ChunkMerger, self.batch, windows=self.windows, sink=sink)
            inferer(rock, lambda windows: self._run(windows, splitter.views))  # type: ignore[arg-type]

    def predict(self, part: Part) -> np.ndarray:
        """Probability (K, H, W), float32, of an imaged part no larger than a chunk, from a window around it alone."""
        window = WindowSplitter(self.volume, self.windows, self.foreground, 1).read(part)
        around = self.surroundings
        views = deque() if around is None else deque([around.view(part.slice, self.windows.around(part))])
        return at_scan_scale(self._run(window, views)[0].numpy(), self.windows, part)

    def probability(self) -> np.ndarray:
        """Probability of the whole region (K, slices, H, W), float32, in memory; 0 where there is no rock."""
        plan = self.windows.plan
        result = np.zeros((self.phases, *plan.shape), np.float32)

        def keep(index: int, probability: np.ndarray) -> None:
            chunk = plan[index]
            rows, columns = slice(chunk.y, chunk.y + chunk.height), slice(chunk.x, chunk.x + chunk.width)
            result[:, chunk.slice, rows, columns] = probability * self.foreground.rock(plan, chunk)

        self(range(len(plan)), keep)
        return result

    def _run(self, windows: torch.Tensor, views: deque[torch.Tensor]) -> torch.Tensor:
        """Probability (N, K, h, w) of windows (N, C, h, w), on the CPU, in as many passes as the device's memory asks
        for. Their views (1, 2, h, w), if the network sees any, are taken from the front of `views`."""
        windows = windows.to(self.device)
        view = torch.cat([views.popleft() for _ in windows]).to(self.device) if views else None
        parts: list[torch.Tensor] = []
        first = 0
        while first < len(windows):
            try:
                now = slice(first, first + self.batch)
                parts.append(self._pass(windows[now], None if view is None else view[now]))
                first += self.batch
            except torch.OutOfMemoryError as error:
                if self.batch == 1:
                    height, width = windows.shape[2:]
                    raise UserError(
                        f"{self.device} has too little memory for one window of {width} x {height} pixels: "
                        "give a smaller --chunk_size"
                    ) from error
                self.batch //= 2
                torch.cuda.empty_cache()
                logger.warning("%s ran out of memory: continuing with batches of %d", self.device, self.batch)
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _pass(self, windows: torch.Tensor, view: torch.Tensor | None) -> torch.Tensor:
        """Probability (N, K, h, w) of windows (N, C, h, w), with their views, in one pass, always of a full batch.

        Convolutions of another batch size may be computed in another order: after an interrupt, when other chunks meet
        in a batch, the bytes of the result would differ.
        """
        count = len(windows)
        inputs = [_filled_up(given, self.batch) for given in (windows, view) if given is not None]
        with torch.no_grad():
            logits = self.network(*inputs)[:count]
            chosen = logits if self.logits is None else logits[:, list(self.logits)]
            return chosen.float().sigmoid().cpu()


def _filled_up(batch: torch.Tensor, count: int) -> torch.Tensor:
    """A batch (N, ...) of so many, its last one repeated."""
    missing = count - len(batch)
    return torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])]) if missing > 0 else batch
