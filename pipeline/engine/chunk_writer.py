"""The chunks of a scan onto the disk: which are left, and reading, network and writing at the same time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np

from pipeline.engine.block_counts import BlockCounts
from pipeline.engine.journal import Journal
from pipeline.engine.prediction import ChunkPredictor
from pipeline.engine.store import ScanStore
from pipeline.images.storage import THREADS
from pipeline.progress_bars import progress_bar

logger = logging.getLogger("vlsenet")


class FinishedChunks(Protocol):
    """Notes which chunks are finished, as `Journal` does."""

    def add(self, index: int, counts: BlockCounts) -> None:
        """Note a chunk and what was counted in it. Threads may call it at once."""


def chunks_left(store: ScanStore, journal: Journal) -> list[int]:
    """Numbers of the chunks that are still to be written, in order."""
    plan = store.plan
    done = {index for index in journal.entries() if store.has_chunk(index)}
    if done:
        megapixels = sum(plan[index].area for index in done) / 1e6
        logger.info("%d of %d chunks (%.1f megapixels) are already finished", len(done), len(plan), megapixels)
    return [index for index in range(len(plan)) if index not in done]


def write_chunks(
    predictor: ChunkPredictor,
    store: ScanStore,
    journal: FinishedChunks,
    thresholds: Sequence[float],
    indices: Sequence[int],
) -> None:
    """Predict chunks and write them; reading, network and writing overlap.

    Args:
        predictor: of the chunks.
        store: where they go.
        journal: notes those that are on the disk.
        thresholds: of each phase, as for `decided`.
        indices: numbers of the chunks.

    Raises:
        UserError: a part of the scan can't be read, or the disk refuses. What is in the journal stays.
    """
    plan = store.plan

    def write(index: int, probability: np.ndarray) -> int:
        chunk = plan[index]
        rock = predictor.foreground.rock(plan, chunk)
        journal.add(index, store.write_chunk(index, probability, thresholds, rock))
        return chunk.area

    total = sum(plan[index].area for index in indices)
    with (
        progress_bar(total=total, unit="px", unit_scale=True, desc="segmenting", disable=not indices) as bar,
        ThreadPoolExecutor(THREADS, thread_name_prefix="writer") as writers,
    ):
        writing: deque[Future[int]] = deque()

        def submit(index: int, probability: np.ndarray) -> None:
            writing.append(writers.submit(write, index, probability))
            # bounded: a slow disk holds the network up, and memory does not fill
            while writing and (writing[0].done() or len(writing) > 2 * THREADS):
                bar.update(writing.popleft().result())

        try:
            predictor(indices, submit)
            while writing:
                bar.update(writing.popleft().result())
        finally:
            for future in writing:
                future.cancel()
