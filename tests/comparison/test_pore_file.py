from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage.measure import label, regionprops_table

from pipeline.comparison.evaluated_runs import read_pores
from pipeline.comparison.strata import _PORE_STRATA
from pipeline.metrics import TruePores
from tests.metrics.masks import blobs


def write(path: Path, **columns: object) -> Path:
    pd.DataFrame({"name": "NA", "source": "1", **columns}).to_csv(path, index=False, float_format="%.4g")
    return path


def earlier_columns(truth: np.ndarray) -> dict[str, np.ndarray]:
    """As evaluations wrote them: pixels as unit squares, and angles from 0 to 180 degrees."""
    table = regionprops_table(
        label(truth, connectivity=2), properties=("area", "axis_major_length", "axis_minor_length", "orientation")
    )
    long, short = ((table[f"axis_{axis}_length"] / 4) ** 2 + 1 / 12 for axis in ("major", "minor"))
    angle = (np.degrees(table["orientation"]) + 90) % 180
    found = np.ones(len(long))
    return {
        "area": table["area"].astype(int),
        "aspect_ratio": np.sqrt(long / short),
        "orientation": angle,
        "found": found,
    }


def masks() -> np.ndarray:
    """Pores, lines in all directions, and a square."""
    lines = np.zeros((60, 60), bool)
    lines[2, 2:11] = lines[6:15, 2] = lines[40:44, 40:44] = True
    lines[range(20, 27), range(2, 9)] = lines[range(36, 29, -1), range(2, 9)] = True
    return np.hstack([blobs(0), lines])


@pytest.mark.parametrize("variable", ["pore area", "orientation"])
def test_the_strata_are_those_of_an_earlier_file(tmp_path, variable):
    truth = masks()
    today, is_earlier = read_pores(write(tmp_path / "a.csv", **TruePores.of(truth, truth).columns()))
    assert not is_earlier
    earlier, is_earlier = read_pores(write(tmp_path / "b.csv", **earlier_columns(truth)))
    assert is_earlier
    assert list(earlier) == list(today)
    assert (earlier["name"] == "NA").all()
    strata = [_PORE_STRATA[variable](pores) for pores in (today, earlier)]
    # the bound of what is elongated is the one thing that can't be told from the earlier file
    both = strata[0].notna() & strata[1].notna() if variable == "orientation" else slice(None)
    assert strata[0][both].equals(strata[1][both])
    assert strata[0].notna().sum() > 10


def test_what_has_no_shape_has_none_in_an_earlier_file_either(tmp_path):
    truth = masks()
    columns = earlier_columns(truth)
    earlier, _ = read_pores(write(tmp_path / "b.csv", **columns))
    today = pd.DataFrame(TruePores.of(truth, truth).columns())
    for column in ("aspect_ratio", "orientation_deg"):
        assert earlier[column].isna().equals(today[column].isna()), column
        assert earlier[column].notna().any()
        assert earlier[column].isna().any()
    np.testing.assert_allclose(earlier["orientation_deg"], today["orientation_deg"], atol=0.06)
    lines = _PORE_STRATA["aspect ratio"](earlier) == "one pixel wide"
    assert lines.sum() >= 4
    assert lines.equals(_PORE_STRATA["aspect ratio"](today) == "one pixel wide")


def test_another_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.csv lacks columns"):
        read_pores(write(tmp_path / "a.csv", area=[1]))
