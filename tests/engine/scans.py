"""Small made-up scans, and a writer that the tests can kill."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np

from pipeline.engine import Journal, ScanStore, build_pyramid
from pipeline.tiling.chunk_plan import ChunkPlan

PLAN = ChunkPlan(height=150, width=117, chunk=32, block=16)
REQUEST = {"input": {"hash": "ab12", "roi": [0, 0, 117, 150]}, "threshold": 0.5, "prompt": "pore"}


def probability_of(plan: ChunkPlan, seed: int = 0) -> np.ndarray:
    """Probability (D, H, W) of the plan's output."""
    return np.random.default_rng(seed).random(plan.shape, np.float32)


def part(plan: ChunkPlan, probability: np.ndarray, index: int) -> np.ndarray:
    """The chunk's part of (D, H, W)."""
    chunk = plan[index]
    return probability[chunk.slice, chunk.y : chunk.y + chunk.height, chunk.x : chunk.x + chunk.width]


def write_all(path: Path, plan: ChunkPlan = PLAN, order: list[int] | None = None, threshold: float = 0.5) -> ScanStore:
    """A store of `probability_of(plan)` with its pyramid."""
    store = ScanStore.create(path, plan, "request")
    probability = probability_of(plan)
    for index in order or range(len(plan)):
        store.write_chunk(index, part(plan, probability, index)[None], [threshold])
    build_pyramid(store)
    return store


PHASES = ("pore", "silt grain")


def write_phases(path: Path, plan: ChunkPlan = PLAN, thresholds: tuple[float, ...] = (0.5, 0.6)) -> ScanStore:
    """A store of two phases, of `probability_of(plan)` with the seeds 0 and 1, with its pyramid."""
    store = ScanStore.create(path, plan, "request", phases=PHASES)
    maps = [probability_of(plan, seed) for seed in range(len(PHASES))]
    for index in range(len(plan)):
        store.write_chunk(index, np.stack([part(plan, one, index) for one in maps]), thresholds)
    build_pyramid(store)
    return store


def bytes_of(folder: Path) -> dict[str, str]:
    """Hash of every file in a folder, by its path in it."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def segment(folder: Path, pause: float = 0.0) -> None:
    """A whole segmentation, as an engine would do it: begins, or goes on."""
    with Journal.open(folder / "journal", REQUEST) as journal:
        store = ScanStore.create(folder / "out.ome.zarr", PLAN, journal.hash, replace=journal.replaces)
        probability = probability_of(PLAN)
        done = journal.entries()
        for index in range(len(PLAN)):
            if index not in done:
                journal.add(index, store.write_chunk(index, part(PLAN, probability, index)[None], [0.5]))
                time.sleep(pause)
        build_pyramid(store)
        journal.finish({})
