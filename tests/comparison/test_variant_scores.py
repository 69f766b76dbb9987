from __future__ import annotations

import pandas as pd
import pytest

from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.comparison.variant_scores import variant_table
from tests.comparison.simulated import stored


def run(seed: str, fold: str, dice: list[float]) -> EvaluatedRun:
    names = [f"{fold}_{place}" for place in range(len(dice))]
    images = pd.DataFrame({"name": names, "source": fold, "dice": dice})
    return EvaluatedRun(stored(), "unet", seed, fold, images, pd.DataFrame(), {})


def test_an_unfinished_seed_does_not_weigh_its_fold_twice():
    # the second fold is a hard one, and seed 1 has not come to it
    runs = [run("0", "a", [0.9, 0.8]), run("0", "b", [0.5, 0.4]), run("1", "a", [0.92, 0.82])]
    row = variant_table(runs).set_index("measure").loc["dice"]
    assert row["mean"] == pytest.approx((0.91 + 0.81 + 0.5 + 0.4) / 4)
    assert pd.isna(row["seed_sd"])
    done = variant_table([*runs, run("1", "b", [0.52, 0.42])]).set_index("measure").loc["dice"]
    assert done["mean"] == pytest.approx(0.66)
    assert done["seed_sd"] == pytest.approx(pd.Series([0.65, 0.67]).std())
