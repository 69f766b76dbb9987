"""What MLflow keeps of the epochs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pipeline.comparison.runs import EvaluatedRun

#: metric of a training: title
CURVES = {
    "train_loss": "training loss",
    "val_dice": "Dice, validation",
    "val_porosity_error": "porosity error, validation",
}


def read_curves(runs: Sequence[EvaluatedRun]) -> pd.DataFrame:
    """Curves of all runs: metric (its title), variant, run, step and value; empty where the runs have none."""
    rows = [
        {"metric": title, "variant": run.variant, "run": run.run_id, "step": point.step, "value": point.value}
        for metric, title in CURVES.items()
        for run in runs
        if metric in run.metrics
        for point in run.client.get_metric_history(run.run_id, metric)
    ]
    # a resumed training logs an epoch twice
    table = pd.DataFrame(rows, columns=["metric", "variant", "run", "step", "value"])
    return (
        table.drop_duplicates(["metric", "run", "step"], keep="last")
        .sort_values("step", kind="stable", ignore_index=True)
        .sort_values(
            "metric", key=lambda names: names.map({title: i for i, title in enumerate(CURVES.values())}), kind="stable"
        )
    )
