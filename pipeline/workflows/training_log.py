"""The course of a training beside its checkpoints: a row for each epoch, and the curves as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from ignite.engine import Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from pipeline.csv_tables import read_csv, write_csv
from pipeline.files import atomic_path
from pipeline.visual.drawing import BLUE, VERMILLION, as_float
from pipeline.visual.figure import label_axes, new_figure

TABLE = "training_log.csv"
CURVES = "training_curves.png"
#: score of the right panel, the first that there is, and its name
_SCORES = {"val_dice": "Dice, validation"}
_SIZE = 8.0, 3.2  # inches


class TrainingLog:
    """Keeps ``training_log.csv``: epoch, learning rate, loss and the scores of the validation, by MLflow's names.

    Args:
        folder: of the training.
    """

    def __init__(self, folder: Path) -> None:
        self.table, self.curves = folder / TABLE, folder / CURVES
        self._rows: list[dict[str, Any]] = []

    def begin(self, epoch: int) -> None:
        """Keep the rows of an earlier part of the training.

        Args:
            epoch: after which it goes on; 0: it begins.
        """
        self._rows = []
        if epoch and self.table.is_file():
            earlier = read_csv(self.table)
            self._rows = earlier[earlier["epoch"] <= epoch].to_dict("records")

    def attach(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        """Add a row after each epoch; to be attached after the validation."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._add, evaluator)

    def _add(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        rate = trainer.optimizer.param_groups[0]["lr"]
        row: dict[str, Any] = {"epoch": trainer.state.epoch, "learning_rate": rate, **trainer.state.metrics}
        if evaluator.state.epoch == trainer.state.epoch:  # validated in this epoch
            row |= evaluator.state.metrics
        self._rows.append({name: value if name == "epoch" else float(value) for name, value in row.items()})
        write_csv(self.table, pd.DataFrame(self._rows), "%.6g")

    def draw(self) -> None:
        """Draw the curves, where there is an epoch."""
        if not self._rows:
            return
        table = pd.DataFrame(self._rows)
        shown = [(name, title) for name, title in _SCORES.items() if name in table and table[name].notna().any()]
        panels = [("train_loss", "training loss", BLUE), *((name, title, VERMILLION) for name, title in shown)]
        figure = new_figure(*_SIZE)
        for axes, (name, title, colour) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            values = table[["epoch", name]].dropna()
            axes.plot(values["epoch"], values[name], color=as_float(colour), marker="o", markersize=2.5)
            label_axes(axes, "epoch", title)
        with atomic_path(self.curves) as partial:
            figure.savefig(partial, format="png")
