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

from pipeline.data import Intensity
from pipeline.errors import UserError
from pipeline.scan.output.plan import ChunkPlan
from pipeline.scan.sources import ScanSource
from pipeline.scan.windows import Window, window_of

logger = logging.getLogger("vlsenet")

#: windows (N, 1, H, W), mean 0 and spread 1 over the scan -> logits (N, 1, H, W)
Network = Callable[[torch.Tensor], torch.Tensor]

_READERS = 2


@dataclass
class ChunkPredictor:
    """Runs a network over the chunks of a scan.

    Memory depends on the windows and the batch, not on the scan: at most two batches are read ahead.

    Attributes:
        source: the scan.
        plan: its chunks.
        network: called on windows of one size, on the device.
        intensity: of the whole scan.
        halo: around a chunk (px), a multiple of 16.
        batch: windows in one forward pass; halved where a GPU's memory does not hold them.
        device: where the network runs.
    """

    source: ScanSource
    plan: ChunkPlan
    network: Network
    intensity: Intensity
    halo: int
    batch: int
    device: torch.device

    def __call__(self, indices: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Predict chunks, in the order given.

        Args:
            indices: numbers of the chunks.

        Yields:
            The number of each chunk and its probability (H, W), float32.

        Raises:
            UserError: a part of the scan can't be read, or one window alone is too large for the device.
        """
        order = iter(indices)
        ahead: deque[tuple[int, Window, Future[np.ndarray]]] = deque()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="reader") as readers:

            def read_ahead() -> None:
                for index in islice(order, max(0, 2 * self.batch - len(ahead))):
                    window = window_of(self.plan, self.plan[index], self.halo)
                    ahead.append((index, window, readers.submit(self.source.read, *window[:4])))

            try:
                read_ahead()
                while ahead:
                    size = ahead[0][1][2:4]
                    together: list[tuple[int, Window, Future[np.ndarray]]] = []
                    while ahead and len(together) < self.batch and ahead[0][1][2:4] == size:
                        together.append(ahead.popleft())
                    read_ahead()
                    yield from self._predict(together)
            finally:
                for _, _, reading in ahead:
                    reading.cancel()

    def _predict(self, together: list[tuple[int, Window, Future[np.ndarray]]]) -> Iterator[tuple[int, np.ndarray]]:
        pixels = np.stack([reading.result() for _, _, reading in together])
        probabilities = self._run(self.normalised(pixels))
        for (index, window, _), probability in zip(together, probabilities, strict=True):
            chunk = self.plan[index]
            rows = slice(window.inner_top, window.inner_top + chunk.height)
            columns = slice(window.inner_left, window.inner_left + chunk.width)
            yield index, probability[rows, columns]

    def normalised(self, pixels: np.ndarray) -> torch.Tensor:
        """Grey values (N, H, W) as the network's windows (N, 1, H, W)."""
        grey = torch.from_numpy(pixels.astype(np.float32, copy=False)).to(self.device)
        # the same for every window, in place
        return grey.sub_(self.intensity.mean).div_(self.intensity.std).unsqueeze(1)

    def _run(self, windows: torch.Tensor) -> np.ndarray:
        """Probability (N, H, W) of windows (N, 1, H, W), in as many passes as the device's memory asks for."""
        parts = []
        first = 0
        while first < len(windows):
            try:
                with torch.no_grad():
                    logits = self.network(windows[first : first + self.batch])
                    parts.append(logits[:, 0].float().sigmoid().cpu().numpy())
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
                logger.warning("%s ran out of memory: going on with batches of %d", self.device, self.batch)
        return np.concatenate(parts)
