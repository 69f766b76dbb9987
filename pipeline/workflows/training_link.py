"""From a checkpoint to the MLflow run of its training: a small file beside `best.pt`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.atomic import atomic_path

FILE = "mlflow_run.json"
_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class TrainingLink:
    """Where MLflow keeps a training.

    Attributes:
        tracking_uri: MLflow store.
        run_id: the training's run.
    """

    tracking_uri: str
    run_id: str


def write_training_link(directory: Path, link: TrainingLink) -> None:
    """Write it into the folder of a training's checkpoints (and not into these, which are passed on)."""
    with atomic_path(directory / FILE) as partial:
        partial.write_text(json.dumps(asdict(link), indent=2), encoding="utf-8")


def read_training_link(checkpoint: Path) -> TrainingLink | None:
    """The training of a `best.pt`; None where nothing tells it, or for another checkpoint.

    An SQLite store that is not where it was is looked for in the training's output folder, which may have been moved.
    """
    path = checkpoint.absolute().with_name(FILE)
    if checkpoint.name != "best.pt" or not path.is_file():
        return None
    try:
        link = TrainingLink(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # of another program
        return None
    store = Path(link.tracking_uri.removeprefix(_SQLITE))
    if link.tracking_uri.startswith(_SQLITE) and not store.is_file():
        moved = path.parent.parent / store.name
        return TrainingLink(f"{_SQLITE}{moved.as_posix()}", link.run_id) if moved.is_file() else None
    return link
