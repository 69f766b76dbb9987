from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def make_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Puts an empty MLflow store into a folder; MLflow itself takes seconds for each."""
    import mlflow  # takes seconds too

    empty = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{empty}").search_experiments()

    def make(folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(empty, folder / "mlflow.db")
        return f"sqlite:///{folder}/mlflow.db"

    return make
