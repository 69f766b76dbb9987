"""Which epochs of a training are validated, and which validations have pictures."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine

from pipeline.workflows import EpochValidation, ValidationPictures


def validated(epochs: int, interval: int, after: int = 0) -> list[int]:
    """Epochs that a training validates, which goes on after some epoch."""
    seen: list[int] = []
    trainer = Engine(lambda engine, batch: None)
    EpochValidation(SimpleNamespace(run=seen.append), interval).attach(trainer)
    if after:
        trainer.load_state_dict({"epoch": after, "max_epochs": epochs, "epoch_length": 1})
    trainer.run([0], max_epochs=epochs, epoch_length=1)
    return seen


@pytest.mark.parametrize(
    ("epochs", "interval", "expected"),
    [(4, 1, [1, 2, 3, 4]), (6, 2, [2, 4, 6]), (5, 2, [2, 4, 5]), (1, 2, [1]), (3, 7, [3])],
)
def test_every_so_many_epochs_and_the_last_are_validated(epochs, interval, expected):
    assert validated(epochs, interval) == expected


def test_a_training_that_goes_on_validates_the_same_epochs_and_its_last():
    assert validated(9, 2, after=5) == [6, 8, 9]


@pytest.mark.parametrize(
    ("epochs", "interval", "expected"),
    [([1, 2, 3, 4, 5, 6, 10], 5, [1, 5, 10]), ([2, 4, 6, 8, 10, 12], 5, [2, 6, 10]), ([1, 2, 3], 2, [1, 2])],
)
def test_pictures_come_with_the_first_validation_and_once_an_interval(tmp_path, epochs, interval, expected):
    logged = []
    run = SimpleNamespace(log_picture=lambda picture, name, epoch: logged.append(epoch))
    pictures = ValidationPictures(str(tmp_path), run, interval)
    item = {"image": torch.rand(1, 8, 8), "pred": torch.rand(1, 8, 8), "label": torch.zeros(1, 8, 8)}
    for epoch in epochs:
        state = SimpleNamespace(epoch=epoch - 1, max_epochs=epoch, metrics={}, output=[item], batch=[{"name": "rock"}])
        evaluator = SimpleNamespace(state=state)
        pictures._begin(evaluator)
        state.epoch = epoch
        pictures._draw(evaluator)
    assert logged == expected
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"epoch_{epoch:04d}_rock.png" for epoch in expected]
    assert np.all([file.stat().st_size for file in tmp_path.iterdir()])
