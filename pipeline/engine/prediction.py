"""Probability of pore, chunk by chunk: reading ahead, and the network on batches of windows."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from pipeline.errors import UserError
from pipeline.foreground.normalisation import GreyNormalisation
from pipeline.images.rectangles import Part, Window
from pipeline.images.storage import THREADS
from pipeline.images.volume import ScanVolume
from pipeline.tiling.windows import Windows, at_network_scale, axis_weights, resampled

logger = logging.getLogger("vlsenet")

#: windows (N, 1, H, W), normalised -> logits (N, 1, H, W)
Network = Callable[[torch.Tensor], torch.Tensor]

_Ahead = tuple[int, Part, Window, "Future[np.ndarray]"]


@dataclass
class ChunkPredictor:
    """Runs a network over the chunks of a scan.

    Memory depends on the windows and the batch, not on the scan: at most two batches are read ahead.

    Attributes:
        volume: the scan.
        windows: where the network looks.
        network: called on windows, on the device.
        normalisation: how the scan is normalised.
        batch: windows in one forward pass; halved where a GPU's memory does not hold them.
        device: where the network runs.
    """

    volume: ScanVolume
    windows: Windows
    network: Network
    normalisation: GreyNormalisation
    batch: int
    device: torch.device

    def __call__(self, indices: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Predict chunks, in the order given.

        Args:
            indices: numbers of the chunks.

        Yields:
            The number of each chunk and its probability (H, W), float32; 0 where it was not imaged.

        Raises:
            UserError: a part of the scan can't be read, or one window alone is too large for the device.
        """
        order = iter(indices)
        ahead: deque[_Ahead] = deque()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="reader") as readers:

            def read_ahead() -> None:
                for index in islice(order, max(0, 2 * self.batch - len(ahead))):
                    part = self.windows.imaged(self.windows.plan[index])
                    window = self.windows.around(part)
                    ahead.append((index, part, window, readers.submit(self._read, part, window)))

            try:
                read_ahead()
                while ahead:
                    size = ahead[0][2][2:]
                    together: list[_Ahead] = []
                    while ahead and len(together) < self.batch and ahead[0][2][2:] == size:
                        together.append(ahead.popleft())
                    read_ahead()
                    windows = [reading.result() for *_, reading in together]
                    # the network waits for what is done here: nothing is copied that need not be
                    stacked = np.stack(windows) if len(windows) > 1 else windows[0][None]
                    probabilities = self._run(self._on_device(stacked))
                    for (index, part, window, _), probability in zip(together, probabilities, strict=True):
                        chunk = self._at_scan_scale(probability, part, window)
                        if below := self.windows.plan[index].height - part.height:
                            chunk = np.pad(chunk, [(0, below), (0, 0)])
                        yield index, chunk
            finally:
                for *_, reading in ahead:
                    reading.cancel()

    def predict(self, part: Part) -> np.ndarray:
        """Probability (H, W), float32, of an imaged part no larger than a chunk, from a window around it alone."""
        window = self.windows.around(part)
        probability = self._run(self._on_device(self._read(part, window)[None]))[0]
        return self._at_scan_scale(probability, part, window)

    def _read(self, part: Part, window: Window) -> np.ndarray:
        """A window (H, W), normalised: by the threads that read, while the network runs."""
        high, wide = self.windows.shape
        inside = min(window.height, high - window.top), min(window.width, wide - window.left)
        with self.volume.slice(part.slice) as source:
            pixels = at_network_scale(source, self.windows).read(window.top, window.left, *inside)
        grey = self.normalisation.normalised(pixels, part.slice, window.top, window.left, self.windows.scale)
        if inside == window[2:]:
            return grey
        # as the network itself pads what is no multiple of its poolings
        return np.pad(grey, [(0, window.height - inside[0]), (0, window.width - inside[1])], mode="edge")

    def _at_scan_scale(self, probability: np.ndarray, part: Part, window: Window) -> np.ndarray:
        """Probability of a part, from that of its window."""
        plan, (high, wide) = self.windows.plan, self.windows.shape
        y, x = plan.region.y + part.y, plan.region.x + part.x
        if self.windows.scale == (1, 1):
            top, left = y - window.top, x - window.left
            return probability[top : top + part.height, left : left + part.width]
        down, across = (
            axis_weights(start, count, 1 / scale, length, limit)[2]
            for start, count, scale, length, limit in (
                (y, part.height, self.windows.scale[0], high, (window.top, window.height)),
                (x, part.width, self.windows.scale[1], wide, (window.left, window.width)),
            )
        )
        return resampled(probability, down, across)

    def _on_device(self, windows: np.ndarray) -> torch.Tensor:
        """Windows (N, H, W) as the network takes them, (N, 1, H, W)."""
        return torch.from_numpy(windows).to(self.device).unsqueeze(1)

    def _run(self, windows: torch.Tensor) -> np.ndarray:
        """Probability (N, H, W) of windows (N, 1, H, W), in as many passes as the device's memory asks for."""
        parts = []
        first = 0
        while first < len(windows):
            try:
                parts.append(self._pass(windows[first : first + self.batch]))
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
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _pass(self, windows: torch.Tensor) -> np.ndarray:
        """Probability (N, H, W) of windows (N, 1, H, W) in one pass, always of a full batch.

        Convolutions of another batch size may be computed in another order: after an interrupt, when other chunks meet
        in a batch, the bytes of the result would differ.
        """
        count = len(windows)
        if count < self.batch:
            windows = torch.cat([windows, windows[-1:].expand(self.batch - count, -1, -1, -1)])
        with torch.no_grad():
            probability: torch.Tensor = self.network(windows)[:count, 0].float().sigmoid()
        return probability.cpu().numpy()
