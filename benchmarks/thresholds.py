"""Which threshold carries over to a micrograph that is not labelled? Compares ways to choose it on validation images.

    python benchmarks/thresholds.py runs/sources --dataset_dir nankai --pore_label 2

Takes the finished trainings of `vlsenet experiment ... --folds`, and for each the threshold from its fold's validation
images to its tested ones:

best       that of the best Dice on the validation images
half       0.5
proven     the nearest to 0.5 that is not clearly worse on them than the best (`proven_threshold`): that of a training
possible   that of the best Dice on the tested images themselves
"""

from __future__ import annotations

import argparse
import functools
import operator
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from _evaluated import evaluated_images

from pipeline.metrics import ProbabilityHistogram
from pipeline.metrics.threshold import proven_threshold

Images = Sequence[ProbabilityHistogram]


def pooled(images: Images) -> ProbabilityHistogram:
    """All pixels together."""
    return functools.reduce(operator.add, images)


RULES: dict[str, Callable[[Images, Images], float]] = {
    "best": lambda validation, tested: pooled(validation).best_threshold(),
    "half": lambda validation, tested: 0.5,
    "proven": lambda validation, tested: proven_threshold(validation),
    "possible": lambda validation, tested: pooled(tested).best_threshold(1 / 256, 255 / 256),
}


def histograms(checkpoint: Path, split: str, options: dict[str, object]) -> list[ProbabilityHistogram]:
    """Of each image of a split."""
    return [ProbabilityHistogram.of(*image) for image in evaluated_images(checkpoint, split, options)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path, help="folder written by vlsenet experiment")
    parser.add_argument("--dataset_dir", required=True)
    parser.add_argument("--pore_label", type=int, default=None)
    arguments = parser.parse_args()
    runs = pd.read_csv(arguments.experiment / "runs.csv", dtype={"fold": str})
    runs = runs[(runs["state"] == "finished") & runs["fold"].notna()]
    if runs.empty:
        raise SystemExit(f"{arguments.experiment / 'runs.csv'} lists no finished training of a fold")
    rows = []
    for run in runs.itertuples():
        folder = arguments.experiment / str(run.variant) / f"fold{run.fold}" / f"seed{run.seed}"
        options = {
            "dataset_dir": arguments.dataset_dir,
            "pore_label": arguments.pore_label,
            "split_csv": str(arguments.experiment / "folds" / f"{run.fold}.csv"),
        }
        validation, tested = (
            histograms(folder / "checkpoints" / "best.pt", split, options) for split in ("val", "test")
        )
        for rule, choose in RULES.items():
            threshold = choose(validation, tested)
            counts = pooled(tested).counts_at(threshold)
            rows.append((run.variant, rule, counts.dice, counts.porosity_error))
            score = f"Dice {counts.dice:.4f}, porosity error {counts.porosity_error:.4f}"
            print(f"{folder}: {rule} {threshold:.3f}, {score}", flush=True)
    table = pd.DataFrame(rows, columns=["variant", "rule", "Dice", "porosity error"])
    for name, part in [*table.groupby("variant"), ("all", table)]:
        print(f"\n{name}, pooled Dice and porosity error of the tested micrograph, mean over folds and seeds")
        means = part.groupby("rule", sort=False)[["Dice", "porosity error"]].mean()
        means["lowest Dice"] = part.groupby("rule")["Dice"].min()
        print(means.round(4).to_string())


if __name__ == "__main__":
    main()
