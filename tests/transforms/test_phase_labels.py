"""Labels of phases in training, against what `pipeline.phases` says of single pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.transforms import RandSpatialCropd

from pipeline.phases import UNKNOWN, UNLABELLED, LabelValues, Phase
from pipeline.transforms import PhaseCodesd, PhaseTargetsd, RandPhaseCropd

VALUES = LabelValues((Phase.of("pore"), Phase.of("silt")), ((2,), (1,)), (9,))
SIZE = 16


def sample(shares=(0.0, 0.0), codes=None) -> dict:
    codes = np.random.default_rng(0).integers(0, 3, (1, 40, 50)).astype(np.uint8) if codes is None else codes
    image = torch.arange(codes.size, dtype=torch.float32).reshape(codes.shape)
    return {"image": image, "label": torch.from_numpy(codes), "phase_shares": np.array(shares)}


def crops(item: dict, count: int = 400) -> list[dict]:
    crop = RandPhaseCropd(["image", "label"], SIZE)
    crop.set_random_state(seed=3)
    return [crop(item) for _ in range(count)]


def test_values_become_codes_over_the_networks_phases_and_then_targets():
    label = torch.tensor([[[0, 1, 2, 9]]])
    out = PhaseCodesd("label", ("crack", "silt", "pore"))({"label": label, "values": VALUES})
    assert out["label"].tolist() == [[[0, 2, 3, UNLABELLED]]]
    assert out["label"].dtype == torch.uint8
    assert out["named"].tolist() == [False, True, True]
    assert "values" not in out  # which no batch can hold
    target = PhaseTargetsd("label")(out)["label"]
    assert target.dtype == torch.float32
    assert target.tolist() == [[[UNKNOWN] * 4], [[0, 1, 0, UNKNOWN]], [[0, 0, 1, UNKNOWN]]]


def test_an_image_drawn_by_area_and_labelled_as_a_whole_is_cut_as_monai_does_it():
    theirs = RandSpatialCropd(["image", "label"], (SIZE, SIZE), random_size=False)
    theirs.set_random_state(seed=3)
    item = sample()
    del item["phase_shares"]
    assert all(
        torch.equal(torch.as_tensor(theirs(item)["image"]), torch.as_tensor(ours["image"])) for ours in crops(item, 20)
    )


def test_image_and_label_are_cut_at_the_same_place():
    item = sample((0.5, 0.3))
    item["image"] = item["label"].float()
    assert all(torch.equal(cut["image"], cut["label"].float()) for cut in map(dict, crops(item, 50)))
    assert all(cut["image"].shape == (1, SIZE, SIZE) for cut in crops(item, 50))


@pytest.mark.parametrize("place", [(0, 0), (39, 49), (20, 3)])
def test_patches_of_a_phase_hold_it_at_any_place_as_often_as_its_share_says(place):
    codes = np.zeros((1, 40, 50), np.uint8)
    codes[0][place] = 2
    anywhere = np.mean([bool((cut["label"] == 2).any()) for cut in crops(sample(codes=codes), 2000)])
    held = [np.argwhere(np.asarray(cut["label"][0]) == 2) for cut in crops(sample((0.0, 0.6), codes), 2000)]
    assert np.mean([len(at) > 0 for at in held]) == pytest.approx(0.6 + 0.4 * anywhere, abs=0.04)
    if place == (20, 3):  # rows are free, columns are not
        rows = [at[0][0] for at in held if len(at)]
        assert set(rows) == set(range(SIZE))


def test_patches_of_strokes_hold_labelled_pixels():
    codes = np.full((1, 300, 300), UNLABELLED, np.uint8)
    codes[0, 100:103, 20:200] = 1
    codes[0, 250, 250] = 0
    cuts = crops(sample((0.2, 0.0), codes))
    assert all(bool((cut["label"] != UNLABELLED).any()) for cut in cuts)


def test_a_phase_that_the_patch_no_longer_holds_is_cut_anywhere():
    """As zooms may have lost its last pixel."""
    assert all(
        cut["label"].shape == (1, SIZE, SIZE) for cut in crops(sample((1.0, 0.0), np.zeros((1, 40, 50), np.uint8)), 20)
    )
