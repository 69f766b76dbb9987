from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.experiments import Plan, read_plan
from pipeline.experiments.plan_file import find_mistakes
from tests.paths import ROOT


def test_all_mistakes_are_told_at_once_and_with_their_variant(tmp_path):
    variants = {"a": {"norm": "bach"}, "b": {"switches::contxt": False}, "c": {}}
    plan = Plan(variants, "a", (0, 1), common={"dataset_dir": str(tmp_path)}, evaluation={"mirorr": True})
    with pytest.raises(UserError) as caught:
        find_mistakes(plan.runs(tmp_path / "out"))
    lines = str(caught.value).splitlines()
    assert lines[0] == "variant a: --norm bach: did you mean batch? give one of batch, instance, group"
    assert "variant b: unknown option --switches::contxt; did you mean --switches::context?" in lines
    assert [line for line in lines if "mirorr" in line] == [
        f"variant {name}: unknown option --mirorr; did you mean --mirror?" for name in "abc"
    ]


def test_the_shipped_plan_passes(tmp_path):
    plan = read_plan(ROOT / "scripts" / "ablation.yaml").with_common({"dataset_dir": str(tmp_path)})
    find_mistakes(plan.runs(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
