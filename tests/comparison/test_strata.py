from __future__ import annotations

import pandas as pd
import pytest

from pipeline.comparison.differences import compare_variants, differences_table
from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.comparison.scores import BY_NAME
from pipeline.comparison.strata import strata_table
from tests.comparison.simulated import stored

#: shares of the pores that are found in two images, of two seeds of two variants, far apart
_FOUND = {("ours", "0"): (1.0, 1.0), ("ours", "1"): (0.0, 1.0), ("unet", "0"): (0.0, 0.0), ("unet", "1"): (1.0, 0.0)}


@pytest.fixture
def runs() -> list[EvaluatedRun]:
    runs = []
    for (variant, seed), found in _FOUND.items():
        about = {"name": ["a", "b"], "source": ["1", "2"]}
        pores = pd.DataFrame(
            {**about, "area_px": [5, 5], "aspect_ratio": [1.2, 1.2], "orientation_deg": [0.0, 0.0], "found": found}
        )
        images = pd.DataFrame({**about, "dice": found, "missed_pores": [2, 3]})
        runs.append(EvaluatedRun(stored(), variant, seed, "", images, pores, {}))
    return runs


def test_intervals_of_shares_end_where_differences_are_impossible(runs):
    strata = strata_table(runs, "unet", BY_NAME["dice"])
    assert set(strata["variable"]) == {"pore area", "aspect ratio", "source"}
    assert strata["low"].min() == -1
    assert strata["high"].max() == 1
    differences = differences_table(compare_variants(runs, "unet")).set_index("measure")
    assert (differences.loc["dice", "low"], differences.loc["dice", "high"]) == (-1, 1)


def test_both_tables_call_the_spread_between_trainings_by_one_name(runs):
    strata = strata_table(runs, "unet", BY_NAME["dice"])
    differences = differences_table(compare_variants(runs, "unet"))
    for table in (strata, differences):
        assert set(table["trainings_spread"]) == {"seeds"}
        assert ",seeds" in table.to_csv()
        assert "luck" not in table
