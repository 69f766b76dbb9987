"""Options that have a role in an experiment: data, budget, and what each run has for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import UserError

#: options that say what the data set is: the same for all variants
DATA_OPTIONS = ("dataset_dir", "pore_label", "group_pattern", "skip_bad", "info_bar")
#: options of both commands: the data set, and how an image is segmented
SHARED_OPTIONS = (
    *DATA_OPTIONS,
    "device",
    "tile_size",
    "tile_overlap",
    "tile_batch",
    "precision",
    "statistics",
    "flatten_shading",
    "text_weights",
)
#: options that belong to one run, which neither a plan nor a command line may set for all
_OWN = (
    "output_dir",
    "resume",
    "overwrite",
    "seed",
    "split_csv",
    "tracking_uri",
    "experiment_name",
    "run_name",
    "mlflow_run_id",
    "checkpoint",
)
#: options that say how long and on how much a network is trained
BUDGET_OPTIONS = (
    "max_epochs",
    "steps_per_epoch",
    "batch_size",
    "patch_size",
    "learning_rate",
    "early_stop_patience",
    "val_interval",
)


def check_not_own(where: str, overrides: Mapping[str, Any], others: Sequence[str] = ()) -> None:
    """Refuse options that each run has for itself, and `others`.

    Raises:
        UserError: naming the first.
    """
    own = [name for name in overrides if name in _OWN]
    if own:
        raise UserError(f"{where}{own[0]}: is set by the experiment; remove it")
    data = [name for name in overrides if name in others]
    if data:
        raise UserError(f"{where}{data[0]}: all variants use the same data; give it in `common` or as an option")
