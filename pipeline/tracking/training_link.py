"""Which MLflow run a training is, in a file beside its checkpoints."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.files import write_text
from pipeline.tracking.addresses import default_tracking_uri, kept_address, sqlite_address, sqlite_file

FILE = "mlflow_run.json"


@dataclass(frozen=True)
class TrainingLink:
    """Where MLflow keeps a training.

    Attributes:
        tracking_uri: MLflow store, without a password.
        run_id: the training's run; a key where the store has not got it yet.
    """

    tracking_uri: str
    run_id: str


def write_training_link(directory: Path, tracking_uri: str, run_id: str) -> None:
    """Write it into the folder of a training's checkpoints (and not into these, which are passed on)."""
    link = TrainingLink(kept_address(tracking_uri), run_id)
    write_text(directory / FILE, json.dumps(asdict(link), indent=2))


def read_training_link(checkpoint: Path) -> TrainingLink | None:
    """The training of a `best.pt`; None if no file names it, or for another checkpoint.

    An SQLite store that is not where it was is looked for in the training's folder, which may have been moved, and in
    the one around it.
    """
    path = checkpoint.absolute().with_name(FILE)
    if checkpoint.name != "best.pt" or not path.is_file():
        return None
    try:
        link = TrainingLink(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # of another program
        return None
    store = sqlite_file(link.tracking_uri)
    if store is not None and not store.is_file():
        training = path.parent.parent
        moved = next((file for file in (training / store.name, training.parent / store.name) if file.is_file()), None)
        return None if moved is None else TrainingLink(sqlite_address(moved), link.run_id)
    return link


def training_store(output_dir: str, resume: bool) -> str:
    """The store of a training for which none is named.

    That is the one in the folder around the training's: trainings in folders side by side stand in one table. A resumed
    training goes on in the store that it began in. Where the folder around can't be written, it is the training's own.

    Args:
        output_dir: of the training.
        resume: whether it goes on.
    """
    folder = Path(output_dir).absolute()
    link = read_training_link(folder / "checkpoints" / "best.pt") if resume else None
    if link is not None:
        return link.tracking_uri
    store = sqlite_file(default_tracking_uri(folder.parent)) or folder.parent
    there = next(place for place in (store, *store.parents) if place.exists())
    return default_tracking_uri(folder.parent if os.access(there, os.W_OK) else folder)
