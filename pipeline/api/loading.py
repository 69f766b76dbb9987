"""From what a user has of a model to a `Model`."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from pipeline.api.model import Model
from pipeline.api.python_wording import says_in_python
from pipeline.bundle_files import default_model
from pipeline.errors import UserError
from pipeline.options.domain_kinds import Device
from pipeline.workflows.model_file import TrainedModel, load_model

#: where a folder may have its model: one of a training, one of a bundle, or the files themselves
_IN_FOLDERS = ("checkpoints/best.pt", "models/model.pt", "best.pt", "model.pt")
_MODELS = "models/"


@says_in_python
def load(
    model: str | os.PathLike[str] | None = None,
    *,
    device: str | torch.device | None = None,
    text_weights: str | os.PathLike[str] | None = None,
) -> Model:
    """Load a model.

    Args:
        model: a file (`best.pt`), the folder of a training, or a MONAI bundle, as a folder or a zip file; None: the
            default model, which comes with the package.
        device: `cpu`, `cuda:0` ...; None: the first GPU, or else the CPU.
        text_weights: file or folder with CLIP's weights, for prompts that the model does not know.

    Raises:
        UserError: there is no model or no such device, or the model can't be read.
    """
    if problem := Device().problem(device or "cpu"):
        raise UserError(f"device={device}: {problem}")
    if not isinstance(model, (str, os.PathLike, type(None))):
        raise UserError(f"load takes the path of a model, such as best.pt, not {type(model).__name__}")
    place = torch.device(device or ("cuda:0" if torch.cuda.is_available() else "cpu"))
    weights = None if text_weights is None else os.fspath(text_weights)
    with torch.random.fork_rng(devices=[]):  # a network is built with random weights before it gets its own
        trained = _loaded(model, place)
    return Model(trained, weights)


def _loaded(model: str | os.PathLike[str] | None, device: torch.device) -> TrainedModel:
    if model is None:
        shipped = default_model()
        if shipped is None:
            raise UserError("the default model is not installed; give load() the path of a model, such as best.pt")
        return load_model(str(shipped), device)
    path = Path(model)
    if path.is_dir():
        return load_model(str(_model_in(path)), device)
    member = _model_in_zip(path) if path.is_file() else None
    if member is None:
        return load_model(str(path), device)
    with TemporaryDirectory(prefix="vlsenet-bundle-") as folder, zipfile.ZipFile(path) as bundle:
        found = load_model(bundle.extract(member, folder), device)
    return replace(found, path=path / member)


def _model_in(folder: Path) -> Path:
    for name in _IN_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    found = sorted((folder / _MODELS).glob("*.pt"))
    if len(found) != 1:
        raise UserError(f"{folder}: no model in this folder ({' or '.join(_IN_FOLDERS)}); give the model's file")
    return found[0]


def _model_in_zip(path: Path) -> str | None:
    """The model in the zip file of a bundle; None where the file is none. PyTorch's own files are zip files, too."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as bundle:
        names = [name for name in bundle.namelist() if name.endswith(".pt") and _MODELS in name]
    best = [name for name in names if name.endswith("/model.pt")] or names
    return best[0] if best else None
