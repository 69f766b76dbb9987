"""The options of the bundle commands: what each accepts, checked before anything is loaded or written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.engine.precision import PRECISIONS
from pipeline.engine.statistics import STATISTICS
from pipeline.errors import UserError
from pipeline.networks import NETWORKS
from pipeline.networks.blocks import NORMS
from pipeline.networks.factory import PRESETS
from pipeline.networks.inputs import STRIDE
from pipeline.text import TEXT_SOURCES
from pipeline.workflows.option_checks import (
    Check,
    device,
    evaluation_store,
    existing,
    flag,
    formats,
    from_zero_to,
    info_bar,
    multiple_of,
    number,
    one_of,
    optional,
    output_folder,
    regex,
    required,
    roi,
    scan_formats,
    share,
    switches,
    tolerances,
    tracking_uri,
    whole_number,
    widths,
)


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
    if not problems:
        problems += _together(config)
    if problems:
        raise UserError("\n".join(problems))


def _together(config: Mapping[str, Any]) -> list[str]:
    """What is wrong with options that are fine on their own."""
    interval, epochs = (config.get(name) for name in ("val_interval", "max_epochs"))
    # either may be an expression, whose value is not known yet
    if isinstance(interval, int) and isinstance(epochs, int) and interval > epochs:
        return [
            f"--val_interval {interval} is more than --max_epochs {epochs}: no epoch would be validated and no best "
            f"model kept; give {epochs} or less"
        ]
    return []


_DATASET = existing("a folder with images/ and labels/", Path.is_dir)
_CHECKPOINT = existing("a checkpoint file (.pt)", Path.is_file)
_SPLIT_CSV = optional(existing("a file with the columns name,source,split", Path.is_file))
_WHOLE_PORE_LABEL = whole_number(0, optional=True)

_SLIDING_WINDOW: dict[str, Check] = {
    "device": device,
    "tile_size": whole_number(32),
    "tile_overlap": share,
    "tile_batch": whole_number(1),
    "mirror": flag,
    "precision": one_of(*PRECISIONS),
    "statistics": one_of(*STATISTICS),
    "flatten_shading": flag,
    "info_bar": info_bar,
}

_EVALUATION: dict[str, Check] = {
    "dataset_dir": _DATASET,
    "output_dir": output_folder,
    "checkpoint": _CHECKPOINT,
    "split": one_of("train", "val", "test", "all"),
    "threshold": number(0, 1),
    **_SLIDING_WINDOW,
    "pore_label": _WHOLE_PORE_LABEL,
    "group_pattern": regex,
    "split_csv": _SPLIT_CSV,
    "skip_bad": flag,
    "overwrite": flag,
}

_OPTIONS: dict[str, dict[str, Check]] = {
    "train": {
        "dataset_dir": _DATASET,
        "output_dir": output_folder,
        "network": one_of(*NETWORKS),
        "preset": one_of(*PRESETS),
        "features": widths,
        "norm": one_of(*NORMS),
        "text_source": one_of(*TEXT_SOURCES),
        "max_epochs": whole_number(1),
        "steps_per_epoch": whole_number(1),
        "batch_size": whole_number(1),
        "patch_size": whole_number(32),
        "pixel_size_nm": optional(number(0, 1e8)),
        **_SLIDING_WINDOW,
        "seed": whole_number(0),
        "compile": optional(one_of("default", "reduce-overhead", "max-autotune")),
        "num_workers": whole_number(0),
        "early_stop_patience": whole_number(1),
        "picture_interval": whole_number(1),
        "val_interval": whole_number(1),
        "learning_rate": number(0, 1),
        "weight_decay": from_zero_to(1),
        "start_from": optional(existing("a checkpoint file (.pt)", Path.is_file)),
        "cache_rate": from_zero_to(1),
        "switches": switches,
        "pore_label": _WHOLE_PORE_LABEL,
        "group_pattern": regex,
        "split_csv": _SPLIT_CSV,
        "tracking_uri": tracking_uri,
        "allow_leaks": flag,
        "skip_bad": flag,
        "resume": flag,
        "overwrite": flag,
    },
    "evaluate": {**_EVALUATION, "tolerances": tolerances, "tracking_uri": evaluation_store},
    "inference": {
        "input": existing("an image or a folder of images", Path.exists),
        "output_dir": output_folder,
        "checkpoint": _CHECKPOINT,
        **_SLIDING_WINDOW,
        "threshold": number(0, 1),
        "group_pattern": regex,
        "skip_bad": flag,
        "resume": flag,
        "overwrite": flag,
    },
    "audit": {**_EVALUATION, "seed": whole_number(0), "tracking_uri": tracking_uri},
    "scan": {
        "input": required("a scan"),
        "device": device,
        "output_dir": output_folder,
        "checkpoint": _CHECKPOINT,
        "threshold": number(0, 1),
        "roi": roi,
        "page": whole_number(0, optional=True),
        "stack": flag,
        "pixel_size_nm": optional(number(0, 1e8)),
        "slice_spacing_nm": optional(number(0, 1e8)),
        "rescale": flag,
        "report": flag,
        "info_bar": info_bar,
        "invert": flag,
        "tracking_uri": tracking_uri,
        "min_pore_area_px": whole_number(1),
        "chunk_size": optional(multiple_of(256)),
        "halo": multiple_of(STRIDE),
        "batch": whole_number(1, optional=True),
        "precision": one_of(*PRECISIONS),
        "statistics": one_of(*STATISTICS),
        "flatten_shading": flag,
        "skip_empty": flag,
        "formats": scan_formats,
        "overwrite": flag,
    },
    "export": {
        "output_dir": output_folder,
        "checkpoint": _CHECKPOINT,
        "formats": formats,
        "text_inputs": flag,
        "threshold": number(0, 1),
        "overwrite": flag,
    },
}
