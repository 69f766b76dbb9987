"""Checks of single options: each takes an option's name and value, and says what is wrong in one line."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.networks import check_features
from pipeline.tracking.evaluations import NOWHERE
from pipeline.workflows.export import check_formats
from pipeline.workflows.scan.results import FORMATS as SCAN_FORMATS
from pipeline.workflows.scan.settings import format_names

Check = Callable[[str, Any], None]

#: schemes of the MLflow stores that `tracking_uri` accepts; folders (``./mlruns``) are no longer a store
_TRACKING_SCHEMES = {"sqlite", "postgresql", "mysql", "mssql", "http", "https", "databricks"}

_EXAMPLES = {
    "dataset_dir": "data/my_rock",
    "output_dir": "runs/my_rock",
    "checkpoint": "runs/my_rock/checkpoints/best.pt",
    "input": "scan.tif",
}


def required(kind: str) -> Check:
    def check(name: str, value: Any) -> None:
        if value in (None, ""):
            raise UserError(f"--{name} is missing: give {kind}, as in --{name} {_EXAMPLES[name]}")

    return check


def existing(kind: str, accepts: Callable[[Path], bool]) -> Check:
    def check(name: str, value: Any) -> None:
        required(kind)(name, value)
        path = Path(str(value))
        if not path.exists():
            raise UserError(f"--{name} {value}: no such file or folder; give {kind}")
        if not accepts(path):
            raise UserError(f"--{name} {value} is not {kind}")

    return check


def output_folder(name: str, value: Any) -> None:
    required("a folder for the results")(name, value)
    path = Path(str(value)).absolute()
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    if not there.is_dir():
        raise UserError(f"--{name} {value}: {there} is a file; give a folder for the results")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"--{name} {value}: no permission to write to {there}; give another folder for the results")


def whole_number(minimum: int, optional: bool = False) -> Check:
    def check(name: str, value: Any) -> None:
        if optional and value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise UserError(f"--{name} {value}: give a whole number of at least {minimum}")

    return check


def number(low: float, high: float) -> Check:
    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low < value < high:
            raise UserError(f"--{name} {value}: give a number between {low:g} and {high:g}")

    return check


def share(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise UserError(f"--{name} {value}: give a share, at least 0 and below 1")


def from_zero_to(most: float) -> Check:
    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            raise UserError(f"--{name} {value}: give a number from 0 to {most:g}")

    return check


def switches(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise UserError(f"--{name} {value}: set each part on its own, as in --{name}::context false")
    for part, on in value.items():
        flag(f"{name}::{part}", on)


def one_of(*choices: str) -> Check:
    def check(name: str, value: Any) -> None:
        if value not in choices:
            raise UserError(f"--{name} {value}: give one of {', '.join(choices)}")

    return check


def flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise UserError(f"--{name} {value}: must be true or false; --{name} alone turns it on")


def widths(name: str, value: Any) -> None:
    if value is None:
        return
    try:
        check_features(value)
    except UserError as error:
        raise UserError(f"--{error}") from error


def optional(check: Check) -> Check:
    def check_if_given(name: str, value: Any) -> None:
        if value is not None:
            check(name, value)

    return check_if_given


def multiple_of(step: int) -> Check:
    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < step or value % step:
            raise UserError(f"--{name} {value}: give a multiple of {step}")

    return check


def roi(name: str, value: Any) -> None:
    if value is not None:
        Roi.of(value)


def info_bar(name: str, value: Any) -> None:
    if value not in ("auto", "keep") and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise UserError(f"--{name} {value}: give auto, keep, or the bar's height in whole pixels")


def scan_formats(name: str, value: Any) -> None:
    if not isinstance(value, (str, list, tuple)) or set(format_names(value)) - set(SCAN_FORMATS):
        raise UserError(f"--{name} {value}: give one or more of {', '.join(SCAN_FORMATS)}, as in --{name} tiff,nifti")


def formats(name: str, value: Any) -> None:
    if not isinstance(value, (str, list, tuple)):
        raise UserError(f"--{name} {value}: give format names, as in --{name} onnx,torchscript")
    check_formats(value)


def regex(name: str, value: Any) -> None:
    if value is None:
        return
    try:
        re.compile(str(value))
    except re.error as error:
        raise UserError(f"--{name} {value}: not a regular expression ({error})") from error


def tracking_uri(name: str, value: Any) -> None:
    if value is None:
        return
    scheme = urlsplit(str(value)).scheme.split("+")[0]
    if scheme not in _TRACKING_SCHEMES:
        raise UserError(
            f"--{name} {value}: not an MLflow store; give sqlite:///FILE.db or the address of a server, "
            "such as http://localhost:5000 (MLflow no longer keeps runs in plain folders)"
        )


def evaluation_store(name: str, value: Any) -> None:
    if value != NOWHERE:
        tracking_uri(name, value)


def device(name: str, value: Any) -> None:
    if value is None:
        return
    try:
        device = torch.device(value)
    except (RuntimeError, TypeError) as error:
        raise UserError(f"--{name} {value}: unknown device; give cpu or cuda:0") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--{name} {value}: PyTorch finds {torch.cuda.device_count()} CUDA GPUs; give --{name} cpu")


def tolerances(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise UserError(f"--{name} {value}: set each on its own, as in --{name}::surface 1.5")
    for key, size in value.items():
        number(0, math.inf)(f"{name}::{key}", size)
