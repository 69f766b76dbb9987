"""Trainings and their predictions, made up: each training has a luck of its own that all its images share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine
from mlflow.entities import Metric
from scipy.ndimage import gaussian_filter

from pipeline.tracking.evaluations import EvaluationLog
from pipeline.tracking.stores import StoredRun
from pipeline.workflows import EvaluationReport
from tests.metrics.masks import blobs

SOURCES, TILES, SHAPE = 4, 2, (40, 50)
NAMES = [f"{source}_{tile}" for source in range(SOURCES) for tile in range(TILES)]


def truths() -> dict[str, np.ndarray]:
    return {name: blobs(place, SHAPE) for place, name in enumerate(NAMES)}


def train(random: np.random.Generator) -> float:
    """The luck of a training: how tight its network draws pores."""
    return float(random.normal(0, 0.05))


def probability(truth: np.ndarray, luck: float, random: np.random.Generator) -> np.ndarray:
    """What the network makes of an image."""
    blurred = gaussian_filter(truth.astype(float), 0.9) + luck
    return np.clip(blurred + gaussian_filter(random.normal(0, 0.3, truth.shape), 1), 0, 1).astype(np.float32)


def with_noise(predicted: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The planted difference: one pixel in thirty is wrong."""
    return predicted ^ (random.random(predicted.shape) < 1 / 30)


def dice_rows(random: np.random.Generator, seeds: int, noise: bool = False) -> pd.DataFrame:
    """Dice of every image in several trainings of one variant."""
    rows = []
    for seed in range(seeds):
        luck = train(random)
        for name, truth in truths().items():
            predicted = probability(truth, luck, random) >= 0.5
            if noise:
                predicted = with_noise(predicted, random)
            dice = 2 * (predicted & truth).sum() / (predicted.sum() + truth.sum())
            rows.append({"fold": "", "seed": str(seed), "name": name, "source": name[0], "value": dice})
    return pd.DataFrame(rows)


def evaluate(
    folder: Path, seed: int, noise: bool, checkpoint: str, shift: int = 0, phases: Sequence[str] = ("pore",)
) -> None:
    """The files of an evaluation, by the real thing; ``shift`` gives other data under the same names.

    Further phases lie as pores do, some rows below.
    """
    random = np.random.default_rng(seed)
    luck = train(random)

    def infer(engine: Engine, name: str) -> list[dict[str, torch.Tensor]]:
        each = [of_phase(name, number) for number in range(len(phases))]
        prompt = "pore" if len(phases) == 1 else list(phases)
        engine.state.batch = [{"name": name, "source": name[0], "prompt": prompt}]
        image = torch.from_numpy(1 - gaussian_filter(each[0]["label"].astype(np.float32), 1))
        arrays = {key: np.stack([arrays[key] for arrays in each]) for key in each[0]}
        return [{"image": image[None], **{key: torch.from_numpy(a).float() for key, a in arrays.items()}}]

    def of_phase(name: str, number: int) -> dict[str, np.ndarray]:
        truth = np.roll(truths()[name], (7 * number, shift), axis=(0, 1))
        truth[:, :shift] = False
        values = probability(truth, luck, random)
        predicted = values >= 0.5
        if noise:
            predicted = with_noise(predicted, random)
        return {"pred": predicted, "label": truth, "probability": values}

    about: dict[str, Any] = {"checkpoint_sha256": checkpoint, "split": "val", "data_fingerprint": f"data{shift}"}
    if len(phases) > 1:
        about |= {"threshold": dict.fromkeys(phases, 0.4), "model_threshold": dict.fromkeys(phases, 0.5)}
    engine = Engine(infer)
    sizes = {name: 10.0 * (1 + int(name[0]) % 2) for name in NAMES}
    EvaluationReport(str(folder), about, pixel_sizes=sizes, phases=phases).attach(engine)
    engine.run(NAMES)


def stored(name: str = "", **held: Mapping[str, Any]) -> StoredRun:
    """A run without a store."""
    return StoredRun(None, name, name, **held)  # type: ignore[arg-type]


def log_run(client: mlflow.MlflowClient, store: str, experiment: str, folder: Path | None, **tags: str) -> str:
    """A run of a training with curves, and its evaluation where there is one."""
    run_id = str(client.create_run(experiment, run_name=" ".join(tags.values()), tags=tags).info.run_id)
    client.log_batch(run_id, [Metric("val_dice", 0.8 - 0.2 / epoch, 0, epoch) for epoch in (1, 2, 3)])
    if folder is not None:
        EvaluationLog(store, "", run_id, {}).send(folder)
    client.set_terminated(run_id, "FINISHED" if folder is not None else "FAILED")
    return run_id
