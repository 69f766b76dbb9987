"""What produced a result: versions of the code and of what it stands on."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

import torch
from torch import nn

import pipeline
from pipeline.data import DatasetIndex

_PACKAGES = ("torch", "monai", "pytorch-ignite", "mlflow", "numpy", "open_clip_torch")


def code_version() -> str:
    """The package's version, with the git commit and ``+changed`` where it runs from a checkout."""
    here = Path(pipeline.__file__).resolve().parents[1]
    git = ["git", "-C", str(here), "describe", "--always", "--dirty=+changed", "--abbrev=12"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return pipeline.__version__
    # a checkout of some other project around an installed copy says nothing of this code
    return f"{pipeline.__version__} ({commit})" if (here / "setup.cfg").exists() else pipeline.__version__


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    found = {"python": platform.python_version(), "vlsenet": code_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def environment(device: torch.device | str) -> dict[str, Any]:
    """What a training ran on, as far as its numbers may depend on it.

    Args:
        device: of the network.

    Returns:
        ``versions`` (see :func:`versions`), ``packages`` (all that are installed), ``platform``, ``processor``,
        ``threads`` (of PyTorch: sums are taken in another order with another number) and ``device``.
    """
    device = torch.device(device)
    packages = {str(found.metadata["Name"]).lower(): found.version for found in distributions()}
    return {
        "versions": versions(),
        "packages": dict(sorted(packages.items())),
        "platform": platform.platform(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def run_parameters(
    recipe: Mapping[str, Any], index: DatasetIndex, network: nn.Module, **settings: Any
) -> dict[str, Any]:
    """The parameters of an MLflow run: recipe, data set and size of the network."""
    splits = index.fingerprint()["splits"]
    return {
        **recipe,
        **settings,
        "dataset_dir": ", ".join(map(str, index.roots)),
        "pore_label": index.pore_label,
        "images": {split: totals["images"] for split, totals in splits.items()},
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


def dataset_inputs(index: DatasetIndex) -> list[dict[str, str]]:
    """The parts of a data set as MLflow's data set tracking takes them: `name`, `digest`, `source_type`, `source`,
    `profile` (JSON: images and pixels) and `context`, which is the part: train, val or test."""
    found, places = index.fingerprint(), [str(root) for root in index.roots]
    name = ", ".join(root.name for root in index.roots)
    return [
        {
            "name": name,
            "digest": f"{found['hash'][:16]}-{split}",  # MLflow takes the same name and digest for one data set
            "source_type": "local",
            "source": json.dumps({"uri": ", ".join(places)}),
            "profile": json.dumps({"split": split, **totals}),
            "context": split,
        }
        for split, totals in found["splits"].items()
    ]
