"""The chunks of a scan, one after the other, to disk and journal."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from tqdm.auto import tqdm

from pipeline.engine.journal import Journal
from pipeline.engine.prediction import ChunkPredictor
from pipeline.engine.store import ScanStore
from pipeline.foreground.measurement import Foreground
from pipeline.images.storage import THREADS

logger = logging.getLogger("vlsenet")


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
    journal: Journal,
    foreground: Foreground,
    threshold: float,
    indices: Sequence[int],
) -> None:
    """Predict chunks and write them; reading, network and writing overlap.

    Chunks without rock are not sent through the network.

    Args:
        predictor: of the chunks.
        store: where they go.
        journal: notes those that are on the disk.
        foreground: where the scan shows rock.
        threshold: probability from which a pixel is pore.
        indices: numbers of the chunks.

    Raises:
        UserError: a part of the scan can't be read, or the disk refuses. What is in the journal stays.
    """
    plan = store.plan
    parts = {index: plan[index] for index in indices}
    empty = {index for index in indices if foreground.is_empty(plan, parts[index])}

    def write(index: int, probability: np.ndarray) -> int:
        rock = foreground.rock(plan, parts[index])
        journal.add(index, store.write_chunk(index, probability, threshold, rock))
        return parts[index].area

    total = sum(part.area for part in parts.values())
    with (
        tqdm(total=total, unit="px", unit_scale=True, desc="segmenting", mininterval=1, disable=not indices) as bar,
        ThreadPoolExecutor(THREADS, thread_name_prefix="writer") as writers,
    ):
        writing: deque[Future[int]] = deque()

        def submit(index: int, probability: np.ndarray) -> None:
            writing.append(writers.submit(write, index, probability))
            # bounded: a slow disk holds the network up, and memory does not fill
            while writing and (writing[0].done() or len(writing) > 2 * THREADS):
                bar.update(writing.popleft().result())

        try:
            for index in indices:
                if index in empty:
                    submit(index, np.zeros((parts[index].height, parts[index].width), np.float32))
            for index, probability in predictor(index for index in indices if index not in empty):
                submit(index, probability)
            while writing:
                bar.update(writing.popleft().result())
        finally:
            for future in writing:
                future.cancel()
