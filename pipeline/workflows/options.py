"""The options of the bundle commands: what each accepts, checked before anything is loaded or written."""

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
from pipeline.networks import NETWORKS, check_features
from pipeline.networks.blocks import NORMS
from pipeline.networks.inputs import STRIDE
from pipeline.networks.presets import PRESETS
from pipeline.scan.rectangles import Roi
from pipeline.text import TEXT_SOURCES
from pipeline.workflows.evaluation_log import NOWHERE
from pipeline.workflows.export import check_formats
from pipeline.workflows.micrograph_statistics import STATISTICS
from pipeline.workflows.precision import PRECISIONS
from pipeline.workflows.scan.results import FORMATS as SCAN_FORMATS
from pipeline.workflows.scan.settings import format_names

Check = Callable[[str, Any], None]

#: schemes of the MLflow stores that `tracking_uri` accepts; folders (``./mlruns``) are no longer a store
_TRACKING_SCHEMES = {"sqlite", "postgresql", "mysql", "mssql", "http", "https", "databricks"}


def check_options(command: str, config: Mapping[str, Any]) -> None:
    """Check the options of one bundle command, all of them, before anything is loaded.

    Args:
        command: ``train``, ``evaluate``, ``inference``, ``audit``, ``scan`` or ``export``.
        config: the config with the user's overrides in it.

    Raises:
        UserError: one line for each option that is missing or wrong.
    """
    problems = []
    for name, check in _OPTIONS[command].items():
        value = config.get(name)
        if isinstance(value, str) and value.startswith(("$", "@")):  # left to the config's own expression
            continue
        try:
            check(name, value)
        except UserError as error:
            problems.append(str(error))
    interval, epochs = (config.get(name) for name in ("val_interval", "max_epochs"))
    # either may be an expression, whose value is not known yet
    if not problems and isinstance(interval, int) and isinstance(epochs, int) and interval > epochs:
        problems.append(
            f"--val_interval {interval} is more than --max_epochs {epochs}: no epoch would be validated and no best "
            f"model kept; give {epochs} or less"
        )
    if problems:
        raise UserError("\n".join(problems))


def _required(kind: str) -> Check:
    def check(name: str, value: Any) -> None:
        if value in (None, ""):
            raise UserError(f"--{name} is missing: give {kind}, as in --{name} {_EXAMPLES[name]}")

    return check


def _existing(kind: str, accepts: Callable[[Path], bool]) -> Check:
    def check(name: str, value: Any) -> None:
        _required(kind)(name, value)
        path = Path(str(value))
        if not path.exists():
            raise UserError(f"--{name} {value}: no such file or folder; give {kind}")
        if not accepts(path):
            raise UserError(f"--{name} {value} is not {kind}")

    return check


def _output_folder(name: str, value: Any) -> None:
    _required("a folder for the results")(name, value)
    path = Path(str(value)).absolute()
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    if not existing.is_dir():
        raise UserError(f"--{name} {value}: {existing} is a file; give a folder for the results")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"--{name} {value}: no permission to write to {existing}; give another folder for the results")


def _whole_number(minimum: int, optional: bool = False) -> Check:
    def check(name: str, value: Any) -> None:
        if optional and value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise UserError(f"--{name} {value}: give a whole number of at least {minimum}")

    return check


def _number(low: float, high: float) -> Check:
    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low < value < high:
            raise UserError(f"--{name} {value}: give a number between {low:g} and {high:g}")

    return check


def _share(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise UserError(f"--{name} {value}: give a share, at least 0 and below 1")


def _from_zero_to(most: float) -> Check:
    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            raise UserError(f"--{name} {value}: give a number from 0 to {most:g}")

    return check


def _switches(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise UserError(f"--{name} {value}: set each part on its own, as in --{name}::context false")
    for part, on in value.items():
        _flag(f"{name}::{part}", on)


def _one_of(*choices: str) -> Check:
    def check(name: str, value: Any) -> None:
        if value not in choices:
            raise UserError(f"--{name} {value}: give one of {', '.join(choices)}")

    return check


def _flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise UserError(f"--{name} {value}: must be true or false; --{name} alone turns it on")


def _widths(name: str, value: Any) -> None:
    if value is None:
        return
    try:
        check_features(value)
    except UserError as error:
        raise UserError(f"--{error}") from error


def _optional(check: Check) -> Check:
    def check_if_given(name: str, value: Any) -> None:
        if value is not None:
            check(name, value)

    return check_if_given


def _multiple_of(step: int) -> Check:
    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < step or value % step:
            raise UserError(f"--{name} {value}: give a multiple of {step}")

    return check


def _roi(name: str, value: Any) -> None:
    if value is not None:
        Roi.of(value)


def _info_bar(name: str, value: Any) -> None:
    if value not in ("auto", "keep") and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise UserError(f"--{name} {value}: give auto, keep, or the bar's height in whole pixels")


def _scan_formats(name: str, value: Any) -> None:
    if not isinstance(value, (str, list, tuple)) or set(format_names(value)) - set(SCAN_FORMATS):
        raise UserError(f"--{name} {value}: give one or more of {', '.join(SCAN_FORMATS)}, as in --{name} tiff,nifti")


def _formats(name: str, value: Any) -> None:
    if not isinstance(value, (str, list, tuple)):
        raise UserError(f"--{name} {value}: give format names, as in --{name} onnx,torchscript")
    check_formats(value)


def _regex(name: str, value: Any) -> None:
    if value is None:
        return
    try:
        re.compile(str(value))
    except re.error as error:
        raise UserError(f"--{name} {value}: not a regular expression ({error})") from error


def _tracking_uri(name: str, value: Any) -> None:
    if value is None:
        return
    scheme = urlsplit(str(value)).scheme.split("+")[0]
    if scheme not in _TRACKING_SCHEMES:
        raise UserError(
            f"--{name} {value}: not an MLflow store; give sqlite:///FILE.db or the address of a server, "
            "such as http://localhost:5000 (MLflow no longer keeps runs in plain folders)"
        )


def _evaluation_store(name: str, value: Any) -> None:
    if value != NOWHERE:
        _tracking_uri(name, value)


def _device(name: str, value: Any) -> None:
    if value is None:
        return
    try:
        device = torch.device(value)
    except (RuntimeError, TypeError) as error:
        raise UserError(f"--{name} {value}: unknown device; give cpu or cuda:0") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--{name} {value}: PyTorch finds {torch.cuda.device_count()} CUDA GPUs; give --{name} cpu")


def _tolerances(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise UserError(f"--{name} {value}: set each on its own, as in --{name}::surface 1.5")
    for key, size in value.items():
        _number(0, math.inf)(f"{name}::{key}", size)


_EXAMPLES = {
    "dataset_dir": "data/my_rock",
    "output_dir": "runs/my_rock",
    "checkpoint": "runs/my_rock/checkpoints/best.pt",
    "input": "scan.tif",
}

_DATASET = _existing("a folder with images/ and labels/", Path.is_dir)
_CHECKPOINT = _existing("a checkpoint file (.pt)", Path.is_file)
_SPLIT_CSV = _optional(_existing("a file with the columns name,source,split", Path.is_file))
_WHOLE_PORE_LABEL = _whole_number(0, optional=True)

_SLIDING_WINDOW: dict[str, Check] = {
    "device": _device,
    "tile_size": _whole_number(32),
    "tile_overlap": _share,
    "tile_batch": _whole_number(1),
    "mirror": _flag,
    "precision": _one_of(*PRECISIONS),
    "statistics": _one_of(*STATISTICS),
    "flatten_shading": _flag,
    "info_bar": _info_bar,
}

_EVALUATION: dict[str, Check] = {
    "dataset_dir": _DATASET,
    "output_dir": _output_folder,
    "checkpoint": _CHECKPOINT,
    "split": _one_of("train", "val", "test", "all"),
    "threshold": _number(0, 1),
    **_SLIDING_WINDOW,
    "pore_label": _WHOLE_PORE_LABEL,
    "group_pattern": _regex,
    "split_csv": _SPLIT_CSV,
    "skip_bad": _flag,
    "overwrite": _flag,
}

_OPTIONS: dict[str, dict[str, Check]] = {
    "train": {
        "dataset_dir": _DATASET,
        "output_dir": _output_folder,
        "network": _one_of(*NETWORKS),
        "preset": _one_of(*PRESETS),
        "features": _widths,
        "norm": _one_of(*NORMS),
        "text_source": _one_of(*TEXT_SOURCES),
        "max_epochs": _whole_number(1),
        "steps_per_epoch": _whole_number(1),
        "batch_size": _whole_number(1),
        "patch_size": _whole_number(32),
        "pixel_size_nm": _optional(_number(0, 1e8)),
        **_SLIDING_WINDOW,
        "seed": _whole_number(0),
        "compile": _optional(_one_of("default", "reduce-overhead", "max-autotune")),
        "num_workers": _whole_number(0),
        "early_stop_patience": _whole_number(1),
        "picture_interval": _whole_number(1),
        "val_interval": _whole_number(1),
        "learning_rate": _number(0, 1),
        "weight_decay": _from_zero_to(1),
        "start_from": _optional(_existing("a checkpoint file (.pt)", Path.is_file)),
        "cache_rate": _from_zero_to(1),
        "switches": _switches,
        "pore_label": _WHOLE_PORE_LABEL,
        "group_pattern": _regex,
        "split_csv": _SPLIT_CSV,
        "tracking_uri": _tracking_uri,
        "allow_leaks": _flag,
        "skip_bad": _flag,
        "resume": _flag,
        "overwrite": _flag,
    },
    "evaluate": {**_EVALUATION, "tolerances": _tolerances, "tracking_uri": _evaluation_store},
    "inference": {
        "input": _existing("an image or a folder of images", Path.exists),
        "output_dir": _output_folder,
        "checkpoint": _CHECKPOINT,
        **_SLIDING_WINDOW,
        "threshold": _number(0, 1),
        "group_pattern": _regex,
        "skip_bad": _flag,
        "resume": _flag,
        "overwrite": _flag,
    },
    "audit": {**_EVALUATION, "seed": _whole_number(0), "tracking_uri": _tracking_uri},
    "scan": {
        "input": _required("a scan"),
        "device": _device,
        "output_dir": _output_folder,
        "checkpoint": _CHECKPOINT,
        "threshold": _number(0, 1),
        "roi": _roi,
        "page": _whole_number(0, optional=True),
        "stack": _flag,
        "pixel_size_nm": _optional(_number(0, 1e8)),
        "slice_spacing_nm": _optional(_number(0, 1e8)),
        "rescale": _flag,
        "report": _flag,
        "info_bar": _info_bar,
        "invert": _flag,
        "tracking_uri": _tracking_uri,
        "min_pore_area_px": _whole_number(1),
        "chunk_size": _optional(_multiple_of(256)),
        "halo": _multiple_of(STRIDE),
        "batch": _whole_number(1, optional=True),
        "precision": _one_of(*PRECISIONS),
        "statistics": _one_of(*STATISTICS),
        "flatten_shading": _flag,
        "skip_empty": _flag,
        "formats": _scan_formats,
        "overwrite": _flag,
    },
    "export": {
        "output_dir": _output_folder,
        "checkpoint": _CHECKPOINT,
        "formats": _formats,
        "text_inputs": _flag,
        "threshold": _number(0, 1),
        "overwrite": _flag,
    },
}
