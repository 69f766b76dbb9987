"""From what a user has of a model to a `Model`."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from pipeline.api.given import path_given
from pipeline.api.model import Model
from pipeline.api.python_wording import says_in_python
from pipeline.bundle_files import DEFAULT, default_model, model_named
from pipeline.errors import UserError, first_line
from pipeline.options.domain_kinds import Device
from pipeline.wording import some_of
from pipeline.workflows.model_file import MODEL_REMEDY, TrainedModel, load_model

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
        model: a file (`best.pt`), the folder of a training, or a MONAI bundle, as a folder or a zip file; None, or
            `default`: the default model, which comes with the package.
        device: `cpu`, `cuda:0` ...; None: the first GPU, or else the CPU.
        text_weights: file or folder with CLIP's weights, for prompts that the model does not know.

    Raises:
        UserError: there is no model or no such device, or the model can't be read.
    """
    if device is not None and (problem := Device().problem(device)):
        raise UserError(f"device={device!r}: {problem}")
    path = None if model is None else path_given(model, "load", "give a model's file, such as best.pt")
    if path is None and default_model() is None:
        raise UserError("the default model is not installed; give load() the path of a model, such as best.pt")
    weights = (
        None if text_weights is None else path_given(text_weights, "text_weights", "give the file of CLIP's weights")
    )
    place = torch.device(device if device is not None else "cuda:0" if torch.cuda.is_available() else "cpu")
    with torch.random.fork_rng(devices=[]):  # a network is built with random weights before it gets its own
        return Model(_loaded(Path(model_named(path or DEFAULT)), place), weights)


def _loaded(path: Path, device: torch.device) -> TrainedModel:
    if path.is_dir():
        return load_model(str(_model_in(path)), device)
    member = _model_in_zip(path) if path.is_file() else None
    if member is None:
        return load_model(str(path), device)
    with TemporaryDirectory(prefix="vlsenet-bundle-") as folder:
        file = Path(folder) / "model.pt"
        _unpack(path, member, file)
        try:
            return replace(load_model(str(file), device), path=path / member)
        except UserError as error:
            raise UserError(str(error).replace(str(file), str(path / member))) from error


def _unpack(path: Path, member: str, file: Path) -> None:
    try:
        with zipfile.ZipFile(path) as bundle, bundle.open(member) as packed, file.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
    # zipfile's answer to a password and, as NotImplementedError, to an unknown compression
    except RuntimeError as error:
        remedy = "unpack it with another program, and give the file"
        raise UserError(f"{path}: {member} can't be unpacked here ({first_line(error)}); {remedy}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path}: {member} can't be unpacked ({first_line(error)}); copy the file again") from error


def _model_in(folder: Path) -> Path:
    for name in _IN_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    found = sorted((folder / _MODELS).glob("*.pt"))
    if len(found) > 1:
        raise UserError(f"{folder}: which model? It holds {some_of([path.name for path in found])}; give the file")
    if not found:
        raise UserError(f"{folder}: no model in this folder ({' or '.join(_IN_FOLDERS)}); {MODEL_REMEDY}")
    return found[0]


def _model_in_zip(path: Path) -> str | None:
    """The model in the zip file of a bundle; None where the file is none. PyTorch's own files are zip files, too."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as bundle:
        names = [name for name in bundle.namelist() if name.endswith(".pt") and _MODELS in name]
    best = [name for name in names if name.endswith("/model.pt")] or names
    if len(best) > 1:
        raise UserError(f"{path}: which model? It holds {some_of(best)}; unpack it, and give the model's file")
    return best[0] if best else None
