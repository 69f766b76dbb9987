from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND

import pipeline
from pipeline.tracking.logged_model import ModelToLog
from pipeline.tracking.tracked_run import TrackedRun


def trained(folder: Path, weights: str, epoch: int) -> ModelToLog:
    file = folder / weights / "best.pt"
    file.parent.mkdir(exist_ok=True)
    file.write_text(weights)
    return ModelToLog(file, "vlsenet", ("pore", "silt grain"), {"best_val_dice": epoch / 8}, epoch)


def run_with(folder: Path, *models: ModelToLog) -> tuple[mlflow.MlflowClient, mlflow.entities.Run]:
    """A run that ends with each model in turn, as a resumed training does."""
    parts = [
        {"name": "nankai", "digest": f"d-{part}", "source_type": "local", "source": "{}", "context": part}
        for part in ("train", "val")
    ]
    run = TrackedRun(None, "rock", None, str(folder / "out"), {"network": "vlsenet"}, {}, datasets=parts)
    for model in models:
        run.start({})
        run.finish("FINISHED", model)
    client = mlflow.MlflowClient(run.tracking_uri)
    return client, client.get_run(run.run_id)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Iterator[mlflow.entities.Run]:
    """Of a training that was resumed twice, the second time with a better model, in the default store."""
    folder, before = tmp_path_factory.mktemp("models"), mlflow.get_tracking_uri()
    models = trained(folder, "first", 3), trained(folder, "first", 3), trained(folder, "better", 6)
    client, found = run_with(folder, *models)
    mlflow.set_tracking_uri(client.tracking_uri)
    yield found
    mlflow.set_tracking_uri(before)


def test_models_stand_where_mlflow_looks_for_them_each_once(run):
    better, first = mlflow.MlflowClient().search_logged_models([run.info.experiment_id])
    for model, epoch in ((better, 6), (first, 3)):
        assert (model.name, model.model_type, model.status) == ("model", "vlsenet", "READY")
        assert model.source_run_id == run.info.run_id
        (score,) = model.metrics
        assert (score.key, score.value, score.step) == ("best_val_dice", epoch / 8, epoch)
        assert (score.dataset_name, score.dataset_digest) == ("nankai", "d-val")
        assert model.params["network"] == "vlsenet"
    outputs = {one.model_id: one.step for one in run.outputs.model_outputs}
    assert outputs == {first.model_id: 3, better.model_id: 6}
    assert run.data.metrics == {"best_val_dice": 0.75}


def test_the_description_has_signature_example_and_phases_and_pickles_nothing(run, tmp_path):
    folder = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/model", dst_path=str(tmp_path)))
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith((".py", ".pkl"))]
    assert (folder / "data" / "best.pt").read_text() == "better"
    about = mlflow.models.Model.load(str(folder))
    assert about.metadata == {"phases": ["pore", "silt grain"]}
    assert about.flavors["python_function"]["loader_module"] == "vlsenet"
    assert f"vlsenet=={pipeline.__version__}" in (folder / "requirements.txt").read_text().split()
    (image,) = about.signature.inputs.inputs
    assert (image.type, image.shape) == (np.float32, (-1, -1, -1))
    shapes = {one.name: (one.type, one.shape) for one in about.signature.outputs.inputs}
    assert shapes == {"probability": (np.float32, (-1, 2, -1, -1)), "mask": (np.uint8, (-1, -1, -1))}
    assert about.load_input_example(str(folder)).shape == (1, 32, 32)


def test_where_the_package_is_missing_mlflows_error_names_it(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "vlsenet", None)
    with pytest.raises(ModuleNotFoundError, match="vlsenet"):
        mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")


def test_a_server_that_knows_no_models_gets_it_among_the_files_of_the_run(tmp_path, monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise MlflowException("no such endpoint", ENDPOINT_NOT_FOUND)

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "search_logged_models", unknown)
        client, run = run_with(tmp_path, trained(tmp_path, "first", 3))
    files = {item.path for item in client.list_artifacts(run.info.run_id, "model")}
    assert {"model/MLmodel", "model/data"} <= files
