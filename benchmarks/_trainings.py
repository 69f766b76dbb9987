"""A grid of small trainings by workers."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import torch
from _scan_data import TINY

from pipeline.cluster import Pool
from pipeline.experiments import Plan, run_experiment
from pipeline.synthetic import write_dataset


class Grid:
    """One variant with several seeds: two epochs of two steps each, so that starting dominates.

    Args:
        folder: for data and results.
        count: of trainings.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        rock = folder / "rock"
        write_dataset(rock, 4, shape=(64, 64), seed=0, val=1, test=1)
        small = {"network": "unet", "features": list(TINY), "patch_size": 64, "batch_size": 1}
        short = {"max_epochs": 2, "steps_per_epoch": 2, "picture_interval": 2}
        common = {"dataset_dir": str(rock), **small, **short, "text_source": "none"}
        self._plan = Plan({"unet": {}}, "unet", tuple(range(count)), common=common)

    def run(self, name: str, pool: Pool) -> float:
        """Train and evaluate all; returns the time (s)."""
        started = time.perf_counter()
        outcome = run_experiment(self._plan, self._folder / name, pool=pool, threads=1)
        if outcome.failed or outcome.unfinished:
            raise RuntimeError(f"{name}: {outcome.failed + outcome.unfinished} did not finish")
        return time.perf_counter() - started

    def hash(self, name: str) -> str:
        """SHA-256 of the weights that all trainings kept; their files also hold times and marks.

        The models in MLflow's store are left out: they are copies, in folders with random names.
        """
        found = hashlib.sha256()
        for path in sorted((self._folder / name).glob("unet/*/checkpoints/best.pt")):
            found.update(path.parent.parent.name.encode())
            for tensor_name, tensor in torch.load(path, map_location="cpu")["network"].items():
                found.update(tensor_name.encode() + tensor.contiguous().numpy().tobytes())
        return found.hexdigest()
