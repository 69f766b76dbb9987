from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.experiments import Plan, read_plan
from pipeline.experiments.check import find_mistakes
from pipeline.synthetic import write_dataset

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "bundle" / "configs"


def test_all_mistakes_are_told_at_once_and_with_their_variant(tmp_path):
    variants = {"a": {"norm": "bach"}, "b": {"switches::contxt": False}, "c": {}}
    plan = Plan(variants, "a", (0, 1), {"dataset_dir": str(tmp_path)}, {"spilt": "val"})
    with pytest.raises(UserError) as caught:
        find_mistakes(plan.runs(tmp_path / "out"), CONFIGS)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("variant a: --norm bach: give one of")
    assert "variant b: there is no option --switches::contxt; did you mean --switches::context?" in lines
    assert [line for line in lines if "spilt" in line] == [
        f"variant {name}: there is no option --spilt; did you mean --split?" for name in "abc"
    ]


def test_the_shipped_plan_passes_and_missing_data_is_told(tmp_path):
    plan = read_plan(ROOT / "scripts" / "ablation.yaml")
    write_dataset(tmp_path / "rock", 2, shape=(64, 64), seed=0, val=1, test=0)
    find_mistakes(plan.with_common({"dataset_dir": str(tmp_path / "rock")}).runs(tmp_path / "out"), CONFIGS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        find_mistakes(plan.with_common({"dataset_dir": str(tmp_path / "empty")}).runs(tmp_path / "out"), CONFIGS)
    assert not (tmp_path / "out").exists()
