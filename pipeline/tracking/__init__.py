"""All that the project writes to MLflow stores and reads from them; no other package imports MLflow.

Settings, scores, pictures and files of trainings, evaluations, audits, scans and experiments enter; what a store does
not accept is kept in a file beside the results, and sent again. The doors are `tracked_run.TrackedRun` to write,
`stores.Store` to read, and `outbox.send_unsent`.
"""

import os

_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # offline machines would wait for it
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is down would take minutes, at every call
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # one for each of many small files
    "MLFLOW_UV_AUTO_DETECT": "false",  # a project that the user happens to be in is not the model's
}
# here, since MLflow decides about telemetry when it is imported
for _name, _value in _DEFAULTS.items():
    os.environ.setdefault(_name, _value)
