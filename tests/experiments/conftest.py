from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from pipeline.experiments import Plan

#: a training of seconds
SHORT = {"max_epochs": 2, "steps_per_epoch": 1, "batch_size": 2, "patch_size": 64, "mirror": False}


@pytest.fixture
def make_short() -> Callable[[Plan], Plan]:
    return lambda plan: plan.with_common(SHORT)


@pytest.fixture(scope="session")
def make_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Puts an empty MLflow store into a folder; MLflow itself takes seconds for each."""
    empty = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{empty}").search_experiments()

    def make(folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(empty, folder / "mlflow.db")
        return f"sqlite:///{folder}/mlflow.db"

    return make
