"""A trained model as MLflow keeps models: loadable by `mlflow.pyfunc`, with its signature and an example of its input.

Nothing of the package is pickled: MLflow's description names the installed package, which loads the file of weights
(`pipeline.api.mlflow_loader`), and that file, the training's own, lies beside it. Where the package is missing, MLflow
warns that it needs `vlsenet` of this version, and its error has that name, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.exceptions import MlflowException
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

import pipeline
from pipeline.files import sha256_of

#: of the model in its run: `runs:/RUN/model`
NAME = "model"
#: the module that `mlflow.pyfunc` loads a model by
LOADER = "vlsenet"
#: tag of a model: of its file of weights, so that the same is sent once
_SHA256 = "vlsenet.sha256"
#: what servers before version 3 answer, which keep models among the files of runs
_UNKNOWN_THERE = "ENDPOINT_NOT_FOUND"


@dataclass(frozen=True)
class ModelToLog:
    """A model that a run has made.

    Attributes:
        file: of the weights, with all that segmentation needs.
        kind: of network.
        phases: what it finds, in the order of its probabilities.
        scores: of the model, by name.
        epoch: after which it was kept.
    """

    file: Path
    kind: str
    phases: tuple[str, ...]
    scores: Mapping[str, float]
    epoch: int

    def message(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "file": str(self.file.absolute()),
            "model_type": self.kind,
            "phases": list(self.phases),
            "scores": dict(self.scores),
            "epoch": self.epoch,
        }


def log_model(client: mlflow.MlflowClient, run_id: str, message: Mapping[str, Any]) -> None:
    """Keep a model with its run; the same again changes nothing.

    Args:
        client: of the store.
        run_id: of the run.
        message: as `ModelToLog.message` gives it.

    Raises:
        MlflowException, OSError, SQLAlchemyError: of `stores.STORE_ERRORS`.
    """
    file = Path(message["file"])
    run, sha256 = client.get_run(run_id), sha256_of(file)
    experiment = run.info.experiment_id
    try:
        model = _kept(client, experiment, run_id, sha256)
        if model is None:
            model = client.create_logged_model(
                experiment, NAME, run_id, {_SHA256: sha256}, dict(run.data.params), message["model_type"]
            )
    except MlflowException as error:
        if error.error_code != _UNKNOWN_THERE:
            raise
        with _described(file, message["phases"], None, run_id) as folder:
            client.log_artifacts(run_id, folder, NAME)
        return
    if model.status == LoggedModelStatus.READY:
        return
    with _described(file, message["phases"], model.model_id, run_id) as folder:
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, message["epoch"])])
    when, of = (int(time.time() * 1000), message["epoch"]), (model.model_id, *_judged_on(run))
    scores = [Metric(name, float(value), *when, *of) for name, value in message["scores"].items()]
    if scores:
        client.log_batch(run_id, metrics=scores)


def _judged_on(run: Run) -> tuple[str, str] | tuple[None, None]:
    """Name and digest of the part of the data that a training's scores are of, where the run has it."""
    for one in run.inputs.dataset_inputs if run.inputs else ():
        if any(tag.key == "mlflow.data.context" and tag.value == "val" for tag in one.tags):
            return one.dataset.name, one.dataset.digest
    return None, None


def _kept(client: mlflow.MlflowClient, experiment: str, run_id: str, sha256: str) -> LoggedModel | None:
    """The same weights of the same run, whole or not."""
    found = client.search_logged_models([experiment], f"tags.`{_SHA256}` = '{sha256}'")
    return next((model for model in found if model.source_run_id == run_id), None)


@contextmanager
def _described(file: Path, phases: Sequence[str], model_id: str | None, run_id: str) -> Iterator[str]:
    """A folder with the weights and what MLflow says of a model: for as long as it is uploaded."""
    # both take a part of a second, which a command that logs no model need not wait for
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature

    with TemporaryDirectory(prefix="vlsenet-mlflow-") as folder:
        pyfunc.save_model(
            folder,
            loader_module=LOADER,
            data_path=str(file),
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            signature=ModelSignature(*_schemas(len(phases))),
            input_example=_example(),
            pip_requirements=[f"vlsenet=={pipeline.__version__}"],
            metadata={"phases": list(phases)},
        )
        yield folder


def _schemas(phases: int) -> tuple[Schema, Schema, ParamSchema]:
    """What it takes, gives, and may be told besides; see `pipeline.api.mlflow_loader`."""
    images = Schema([TensorSpec(np.dtype(np.float32), (-1, -1, -1))])
    found: list[ColSpec | TensorSpec] = [
        TensorSpec(np.dtype(np.float32), (-1, phases, -1, -1), "probability"),
        TensorSpec(np.dtype(np.uint8), (-1, -1, -1), "mask"),
    ]
    return images, Schema(found), ParamSchema([ParamSpec("pixel_size_nm", DataType.double, None)])


def _example() -> np.ndarray:
    """Grey levels (1, 32, 32) of the form that it takes, with a dark disc; no rock."""
    y, x = np.mgrid[-16:16, -16:16]
    return np.where(x * x + y * y < 50, 60, 160 + x + y % 7).astype(np.float32)[None]
