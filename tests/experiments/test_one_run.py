from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.experiments.one_run import _epochs_left


@pytest.mark.parametrize(("counter", "left"), [(0, 3), (2, 3), (3, 0)])
def test_a_training_that_stopped_early_has_no_epochs_left(tmp_path: Path, counter: int, left: int) -> None:
    overrides = {"max_epochs": 10, "early_stop_patience": 3}
    assert _epochs_left(tmp_path, overrides) is None
    (tmp_path / "checkpoints").mkdir()
    training = {"epoch": 7, "state": {"early_stop": {"counter": counter}}, "recipe": {}}
    training |= {"best_metric": 0.5, "best_metric_epoch": 4}
    torch.save({"training": training}, tmp_path / "checkpoints" / "last.pt")
    assert _epochs_left(tmp_path, overrides) == left
