"""How far a network sees beyond its window, as phases and images ask for, and as earlier trainings did."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pipeline.data import index_dataset
from pipeline.data.phase_sizes import PhaseSizes
from pipeline.errors import UserError
from pipeline.phases import Phase
from pipeline.workflows.reach_choice import AUTO, chosen_reach, usual_reach
from tests.paths import SHARED

PATCH = 192


def sizes(side: float, dataset: str = "", **thickness: float) -> PhaseSizes:
    return PhaseSizes(dataset, side, thickness)


@pytest.mark.parametrize(
    ("found", "reach", "told"),
    [
        (sizes(1024, layer=181, crack=0), 496, "layer is typically 181 px thick, and many patches of 192 px show none"),
        (sizes(1024, layer=100), 240, "layer is typically 100 px thick"),
        (sizes(600, layer=181), 240, "layer is typically 181 px thick"),  # images of 600 px show no more
        (sizes(5000, layer=2000), 1008, "layer is typically 2000 px thick"),
        (sizes(369, layer=128), None, "in images of 369 px there is too little around them"),
        (sizes(1024, grain=64, pore=8), None, "grain, the thickest phase, is typically 64 px thick"),
        (sizes(1024, crack=0), None, "crack, the thickest phase, is typically a few px thick"),
    ],
)
def test_the_smallest_reach_that_spans_the_thick_phase(found: PhaseSizes, reach: int | None, told: str) -> None:
    assert usual_reach([found], PATCH)[0] == reach
    assert told in usual_reach([found], PATCH)[1]


def test_several_data_sets_have_one_reach_the_largest_that_one_asks_for() -> None:
    rock, layers = sizes(369, "rock", pore=8), sizes(1024, "coating", oxide=181)
    reach, reason = usual_reach([rock, layers], PATCH)
    assert reach == 496
    assert reason.startswith("coating: oxide")
    assert usual_reach([rock, rock], PATCH)[0] is None


def data(*phases: str) -> SimpleNamespace:
    """A data set whose labels are not there: whoever reads them fails."""
    return SimpleNamespace(phases=[Phase.of(name) for name in phases])


def test_pore_alone_is_told_by_its_look(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "vlsenet"):
        assert chosen_reach(AUTO, data("pore"), PATCH) is None
    assert "surroundings none: the only phase is pore" in caplog.text


def test_what_a_user_says_counts_and_so_does_what_was_trained_before(tmp_path: Path) -> None:
    layers = data("layer", "crack")
    assert chosen_reach("none", layers, PATCH) is None
    assert chosen_reach("240px", layers, PATCH) == 240
    with pytest.raises(UserError, match="500px"):
        chosen_reach("500px", layers, PATCH)
    for reach in (None, 496):
        assert chosen_reach(AUTO, layers, PATCH, SimpleNamespace(reach=reach, path="best.pt")) == reach
    (tmp_path / "checkpoints").mkdir()
    state = {"epoch": 1, "state": {}, "best_metric": 0.0, "best_metric_epoch": 1}
    for network, reach in (({"network": "unet"}, None), ({"network": "unet", "reach": 240}, 240)):
        saved = {"training": {**state, "recipe": {"network": network}}}
        torch.save(saved, tmp_path / "checkpoints" / "last.pt")
        assert chosen_reach(AUTO, layers, PATCH, resumed=str(tmp_path)) == reach


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "phases", "reach"),
    [
        pytest.param("phases/ebc1", None, 496, marks=pytest.mark.slow),  # the check of its images takes seconds
        ("phases/uhcs", None, None),
        ("nankai", "pore=2, silt grain=1", None),
    ],
)
def test_of_public_data_sets(folder: str, phases: str | None, reach: int | None) -> None:
    index = index_dataset(SHARED / folder, phases=phases)
    assert chosen_reach(AUTO, index, PATCH) == reach
