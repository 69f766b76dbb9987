"""What a comparison says of runs that are not alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.comparison.same_data import check_same_data
from tests.comparison.simulated import stored

_WAY = {
    "mirror": True,
    "statistics": "micrograph",
    "precision": "auto",
    "flatten_shading": True,
    "halo": 128,
    "prompt": "pore",
    "threshold": 0.5,
    "model_threshold": 0.5,
}


def run(variant: str, seed: int, parameters: dict[str, str] | None = None, **summary: Any) -> EvaluatedRun:
    images = pd.DataFrame({"name": ["a"], "source": "a", "dice": 0.8, "porosity_true": 0.1, "pixels": 100})
    name = f"{variant}-{seed}"
    return EvaluatedRun(
        stored(name, parameters=parameters or {}), variant, str(seed), "", images, pd.DataFrame(), summary
    )


def ways(*runs: EvaluatedRun) -> str:
    return "".join(note for note in check_same_data(runs) if "different ways" in note)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("mirror", False, "mirror: false for vlsenet, true for unet"),
        ("statistics", "network", "statistics: micrograph for unet, network for vlsenet"),
        ("precision", "float32", "precision: auto for unet, float32 for vlsenet"),
        ("flatten_shading", False, "flatten_shading: false for vlsenet, true for unet"),
        ("halo", 64, "halo: 128 for unet, 64 for vlsenet"),
        ("prompt", "vug", "prompt: pore for unet, vug for vlsenet"),
        ("threshold", 0.3, "threshold: 0.3 for vlsenet, the model's for unet"),
    ],
)
def test_variants_that_were_evaluated_in_other_ways_are_named(name, value, told):
    runs = [run("unet", 0, **_WAY), run("unet", 1, **_WAY)]
    assert not ways(*runs, run("vlsenet", 0, **_WAY), run("vlsenet", 1, **_WAY))
    assert f"({told})" in ways(*runs, *(run("vlsenet", seed, **{**_WAY, name: value}) for seed in range(2)))


def test_runs_are_named_where_a_variant_is_of_two_minds():
    runs = [run("unet", 0, **_WAY), run("unet", 1, **{**_WAY, "mirror": False}), run("vlsenet", 0, **_WAY)]
    assert "mirror: false for the run unet-1, true for the run unet-0, vlsenet" in ways(*runs)


def test_a_threshold_of_the_training_is_no_difference_and_an_earlier_summary_none_either():
    own = run("vlsenet", 0, **{**_WAY, "threshold": 0.7, "model_threshold": 0.7})
    earlier = run("earlier", 0, threshold=0.4, mirror=True)
    assert not ways(run("unet", 0, **_WAY), own, earlier)


def test_sentences_that_were_changed_between_two_evaluations_are_told_where_they_were_read():
    def of(variant: str, text: str, **summary: Any) -> EvaluatedRun:
        one = run(variant, 0, **{**_WAY, "sentences": True, "reads_prompt": True, **summary})
        return replace(one, images=one.images.assign(prompt=text))

    def told(*runs: EvaluatedRun) -> str:
        return "".join(note for note in check_same_data(runs) if "sentences" in note)

    assert "asked a with different sentences" in told(of("mine", "thin pores"), of("other", "large pores"))
    assert not told(of("mine", "thin pores"), of("other", "thin pores"))
    assert not told(of("mine", "thin pores"), of("other", "large pores", reads_prompt=False))


def budgets(*runs: EvaluatedRun) -> list[str]:
    return [note for note in check_same_data(runs) if "budgets" in note]


def test_trainings_of_other_lengths_are_named() -> None:
    long, short = {"max_epochs": "40", "steps_per_epoch": "25"}, {"max_epochs": "10", "steps_per_epoch": "25"}
    (note,) = budgets(run("unet", 0, long), run("unet", 1, long), run("mine", 0, short))
    assert "(steps: 1000 for unet, 250 for mine)" in note
    (note,) = budgets(run("unet", 0, long), run("unet", 1, short), run("mine", 0, long))
    assert "(steps: 1000 for the run unet-0, mine, 250 for the run unet-1)" in note


def test_the_same_steps_in_other_epochs_are_the_same_budget() -> None:
    one, other = {"max_epochs": "40", "steps_per_epoch": "25"}, {"max_epochs": "20", "steps_per_epoch": "50"}
    assert not budgets(run("unet", 0, one), run("mine", 0, other), run("earlier", 0))
    (note,) = budgets(run("unet", 0, {**one, "batch_size": "8"}), run("mine", 0, {**other, "batch_size": "4"}))
    assert "(batch_size: 4 for mine, 8 for unet)" in note


def test_a_training_that_was_stopped_is_told_elsewhere() -> None:
    killed = run("mine", 0, {"max_epochs": "10", "steps_per_epoch": "25"})
    killed = replace(killed, stored=replace(killed.stored, status="KILLED"))
    assert not budgets(run("unet", 0, {"max_epochs": "40", "steps_per_epoch": "25"}), killed)


def test_several_seeds_of_trainings_alike_are_all_named():
    recipe = {"network.network": "unet", "learning_rate": "0.001"}
    first = [run("A", seed, recipe) for seed in (0, 1)]
    (note,) = [n for n in check_same_data([*first, run("B", 2, recipe), run("B", 10, recipe)]) if "settings" in n]
    assert "A, B were trained with the same settings and seeds 0, 1, 2, 10 (A: 0, 1; B: 2, 10): " in note
    for other in ([run("B", 1, recipe)], [run("B", 2, {**recipe, "learning_rate": "0.01"})], []):
        assert not [note for note in check_same_data([*first, *other]) if "same settings" in note]


def test_files_of_another_definition_of_shapes_are_told():
    pores = pd.DataFrame({"name": ["a"]})
    today = [replace(run("unet", seed), pores=pores) for seed in range(2)]
    earlier = [replace(one, variant="earlier", earlier_shapes=True) for one in today]
    (note,) = [note for note in check_same_data([*today, *earlier]) if "Aspect ratios" in note]
    assert "in the evaluations of earlier: " in note
    for alike in (today, earlier):
        assert not [note for note in check_same_data(alike) if "Aspect ratios" in note]
