from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.errors import UserError
from pipeline.experiments import Plan, read_plan
from pipeline.experiments.plan import FoldPlan, RunFold
from pipeline.networks import Switches
from tests.paths import ROOT

SHIPPED = ROOT / "scripts" / "ablation.yaml"


def plan_file(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text)
    return path


def test_every_variant_has_a_result_before_the_second_seed(tmp_path):
    plan = Plan({"b": {}, "a": {"network": "unet"}}, "b", seeds=(3, 1))
    runs = plan.runs(tmp_path)
    assert [(run.seed, run.variant) for run in runs] == [(3, "b"), (3, "a"), (1, "b"), (1, "a")]
    assert [run.folder for run in runs[:2]] == [tmp_path / "b" / "seed3", tmp_path / "a" / "seed3"]
    assert [(run.seed, run.variant) for run in plan.runs(tmp_path, only=["a"], seeds=[7])] == [(7, "a")]


def test_every_variant_and_fold_has_the_first_seed_before_the_second(tmp_path):
    folds = [RunFold("11", tmp_path / "11.csv", "aa", "test"), RunFold("13", tmp_path / "13.csv", "bb", "test")]
    runs = Plan({"b": {}, "a": {}}, "b", seeds=(0, 1)).runs(tmp_path, folds)
    assert [run.name for run in runs[:5]] == [
        "b fold 11 seed 0",
        "a fold 11 seed 0",
        "b fold 13 seed 0",
        "a fold 13 seed 0",
        "b fold 11 seed 1",
    ]
    first = runs[0]
    assert (first.folder, first.data_fingerprint) == (tmp_path / "b" / "fold11" / "seed0", "aa")
    assert first.training["split_csv"] == first.evaluation["split_csv"] == str(tmp_path / "11.csv")
    assert first.evaluation["split"] == "test"


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        ("split", FoldPlan()),
        (5, FoldPlan("k", 5)),
        ("leave_one_source_out", FoldPlan("leave_out")),
        ({"leave_out": "all", "validation": 0}, FoldPlan("leave_out", validation=0)),
        ({"leave_out": [11, 13], "seed": 3}, FoldPlan("leave_out", sources=("11", "13"), seed=3)),
        ({"k": 3, "validation": 0.5}, FoldPlan("k", 3, validation=0.5)),
    ],
)
def test_folds_are_read_and_written_back(given, plan):
    assert FoldPlan.parse("folds", given) == plan
    assert FoldPlan.parse("folds", plan.content()) == plan


@pytest.mark.parametrize(
    "given", [1, True, "all of them", [], [11, "11"], {"k": 3, "leave_out": "all"}, {"k": 1}, {"leave_out": 2}, {}]
)
def test_folds_that_are_none_are_told(given):
    with pytest.raises(UserError, match=r"plan\.yaml: folds"):
        FoldPlan.parse("plan.yaml: folds", given)


def test_variants_that_are_trained_longer_are_told():
    plan = Plan({"a": {"max_epochs": 5}, "b": {"norm": "batch"}, "c": {"max_epochs": 9}}, "a", common={"max_epochs": 9})
    assert plan.unequal() == ["max_epochs: a 5, b 9, c 9"]
    assert Plan({"a": {"max_epochs": 9}, "b": {}}, "a", common={"max_epochs": 9}).unequal() == []
    assert Plan({"a": {"patch_size": [64, 64]}, "b": {}}, "a").unequal() == ["patch_size: a [64, 64], b default"]


def test_an_option_that_a_variant_computes_cannot_be_set_for_all(tmp_path):
    plan = read_plan(SHIPPED).with_common({"features": [8, 16, 32, 64, 128]})
    with pytest.raises(UserError, match="features: variant unet_equal_parameters computes its own"):
        plan.runs(tmp_path)
    assert len(plan.runs(tmp_path, only=["unet", "vlsenet"])) == 6


def test_a_plan_that_was_written_is_the_same_plan(tmp_path):
    plan = read_plan(SHIPPED).with_common({"dataset_dir": "rock"})
    assert read_plan(plan_file(tmp_path, yaml.safe_dump(plan.content()))) == plan


def test_overrides_of_a_variant_come_after_the_common_ones(tmp_path):
    text = """
        baseline: a
        common: {max_epochs: 3, norm: batch, halo: 64}
        evaluation: {split: test, mirror: false}
        variants:
          a: {norm: group}
          b: {switches: {context: false}, train: {handlers: {a: {b: 1}}}}
    """
    plan = read_plan(plan_file(tmp_path, text)).with_common(
        {"dataset_dir": "rock", "max_epochs": 5, "flatten_shading": False}
    )
    a, b = plan.runs(tmp_path)
    shared = {"max_epochs": 5, "halo": 64, "flatten_shading": False, "dataset_dir": "rock", "seed": 0}
    assert a.training == {**shared, "norm": "group"}
    assert b.training == {**shared, "norm": "batch", "switches::context": False, "train::handlers::a::b": 1}
    # windows and data are those of the training, the training's recipe is no matter of the evaluation
    same = {"dataset_dir": "rock", "halo": 64, "flatten_shading": False}
    assert a.evaluation == {**same, "split": "test", "mirror": False}


def test_an_evaluation_applies_the_network_as_its_training_did_when_it_chose_the_threshold(tmp_path):
    as_in_the_training = {"mirror": True, "halo": 64, "precision": "float32", "prompt": "pore | crack"}
    (run,) = Plan({"a": {}}, "a", common=as_in_the_training).runs(tmp_path)
    assert run.evaluation == {**as_in_the_training, "split": "val"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("variants: [", "not valid YAML"),
        ("variants: {}", "must hold `variants`"),
        ("variants: {a: {}}\nvariant: {}", "no entries other than"),
        ("variants: {a: {}}\nbaseline: b", "baseline 'b' is not one of the variants a"),
        ("variants: {a/b: {}}", "only letters"),
        ("variants: {a: unet}", "variant a must be a list"),
        ("variants: {a: {output_dir: x}}", "output_dir: is set by the experiment; remove it"),
        ("variants: {a: {}}\ncommon: {seed: 1}", "seed: is set by the experiment; remove it"),
        ("variants: {a: {dataset_dir: x}}", "dataset_dir: all variants use the same data"),
        ("variants: {a: {}}\nfolds: 1", "folds 1: give split"),
        ("variants: {a: {}}\nfolds: {k: 2, validation: 1}", "validation 1: give a share"),
        ("variants: {a: {}}\nseeds: [0, 0]", "distinct whole numbers"),
        ("variants: {a: {}}\nseeds: [-1]", "distinct whole numbers"),
        ("variants: {a: {}}\nseeds: 3", "distinct whole numbers"),
    ],
)
def test_mistakes_in_a_plan_are_told_with_its_file(tmp_path, text, told):
    path = plan_file(tmp_path, text)
    with pytest.raises(UserError) as caught:
        read_plan(path)
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)


def test_a_plan_that_is_no_text_is_told_with_its_file(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"\xff\xfe\x00v")
    with pytest.raises(UserError, match="not valid YAML"):
        read_plan(path)


def test_a_variant_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="unknown variant c; choose from a, b"):
        Plan({"a": {}, "b": {}}, "a").runs(tmp_path, only=["a", "c"])
    with pytest.raises(UserError, match="can't be read"):
        read_plan(tmp_path / "none.yaml")


def test_the_shipped_plan_leaves_out_what_its_names_say(tmp_path):
    plan = read_plan(SHIPPED)
    assert plan.baseline == "unet"
    assert len(plan.seeds) == 3

    def left_out(variant: str) -> set[str]:
        return {name.removeprefix("switches::") for name, value in plan.variants[variant].items() if value is False}

    asrm = {name for name in Switches.names() if name.startswith("asrm_")}
    language = {name for name in Switches.names() if name.startswith("modulate_")}
    language |= {"text_adapters", "cross_attention", "text_head", "alignment"}
    assert left_out("without_asrm") == asrm
    assert left_out("without_lscm") == language
    assert left_out("without_alignment") == {"alignment"}
    assert {plan.variants[f"text_{source}"]["text_source"] for source in ("none", "random")} == {"none", "random"}
    assert not plan.variants["vlsenet"]
