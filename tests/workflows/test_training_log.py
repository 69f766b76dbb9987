"""The table and the curves of a training, also of one that goes on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
from PIL import Image

from pipeline.workflows.training_log import TrainingLog


def add(log: TrainingLog, epoch: int, **scores: float) -> None:
    metrics = {"train_loss": 1 / epoch}
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
    trainer = SimpleNamespace(state=SimpleNamespace(epoch=epoch, metrics=metrics), optimizer=optimizer)
    evaluator = SimpleNamespace(state=SimpleNamespace(epoch=epoch if scores else 0, metrics=scores))
    log._add(trainer, evaluator)


def test_a_row_for_each_epoch_and_a_picture(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path)
    log.begin(0)
    log.draw()
    assert not log.curves.exists()
    add(log, 1)
    add(log, 2, val_dice=0.5)
    add(log, 3, val_dice=0.6)
    table = pd.read_csv(log.table)
    assert list(table.columns) == ["epoch", "learning_rate", "train_loss", "val_dice"]
    assert table["val_dice"].isna().tolist() == [True, False, False]
    log.draw()
    assert Image.open(log.curves).format == "PNG"

    resumed = TrainingLog(tmp_path)
    resumed.begin(2)  # the third epoch was not kept in a checkpoint
    add(resumed, 3, val_dice=0.7)
    assert pd.read_csv(log.table)["val_dice"].tolist()[1:] == [0.5, 0.7]
    anew = TrainingLog(tmp_path)
    anew.begin(0)
    add(anew, 1)
    assert len(pd.read_csv(log.table)) == 1
