"""How MLflow behaves in all commands, where the user has not set it otherwise."""

from __future__ import annotations

import os

_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # offline machines would wait for it
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is down would take minutes, at every call
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # one for each of many small files
}


def set_mlflow_defaults() -> None:
    """Set MLflow's environment variables; telemetry is decided when MLflow is imported, so call it before."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
