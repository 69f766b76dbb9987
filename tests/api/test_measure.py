"""The pores of masks from anywhere, against scikit-image and known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.measure import label, regionprops_table

import pipeline as vlsenet


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    noise = np.random.default_rng(3).random((150, 200))
    return noise > 0.8


def test_the_table_is_that_of_scikit_image(mask: np.ndarray) -> None:
    found = vlsenet.measure(mask, pixel_size_nm=10, min_pore_area_px=1)
    expected = regionprops_table(label(mask, connectivity=2), properties=("area", "eccentricity", "bbox"))
    assert sorted(found.pores["area_px"]) == sorted(expected["area"].astype(int))
    assert found.pores["area_um2"].sum() == pytest.approx(mask.sum() * 1e-4)
    assert "mean_probability" not in found.pores
    assert found.porosity == found.fraction == mask.mean()
    np.testing.assert_array_equal(found.mask, mask)
    with pytest.raises(vlsenet.UserError, match="a mask has no probability"):
        _ = found.probability


def test_labels_tensors_and_rock(mask: np.ndarray) -> None:
    labels = torch.from_numpy(np.where(mask, 7, 2))
    rock = np.ones(mask.shape, bool)
    rock[:, 100:] = False
    found = vlsenet.measure(labels, value=7, rock=rock)
    assert found.porosity == mask[:, :100].mean()
    assert not found.mask[:, 100:].any()
    assert vlsenet.measure(labels).porosity == 1
    assert vlsenet.measure(mask, phase="pyrite").name == "pyrite"


def test_several_values_that_all_count_as_pore_are_told(mask: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    for fine in (mask, np.where(mask, 255, 0), np.full((40, 40), 3)):
        vlsenet.measure(fine)
    vlsenet.measure(np.where(mask, 7, 2), value=7)
    assert not caplog.messages
    assert vlsenet.measure(np.where(mask, 7, 2)).porosity == 1
    assert caplog.messages == ["mask has several values other than 0 (from 2 to 7), and all of them count"]


def test_statistics_of_known_pores() -> None:
    mask = np.zeros((200, 200), bool)
    mask[10:190:20, 5:195] = True  # lines along x, one pixel high
    found = vlsenet.measure(mask, pixel_size_nm=500)
    numbers = found.summary()
    assert numbers["porosity"] == mask.mean()
    assert numbers["pores"] == 9
    assert numbers["direction_deg"] == pytest.approx(0)
    assert numbers["resultant_length"] == pytest.approx(1)
    assert numbers["mean_intercept_x_um"] == pytest.approx(190 * 0.5)
    assert numbers["mean_intercept_y_um"] == pytest.approx(0.5)
    assert found.sizes is not None
    assert found.sizes.number_percentiles[1] == pytest.approx(np.sqrt(4 * 190 / np.pi))
    along_x, along_y = found.two_point
    assert along_x.s2[0] == along_y.s2[0] == pytest.approx(mask.mean())
    assert found.representative_area.side.size
    assert "Porosity" in found._repr_html_()


def test_a_stack_has_pores_in_space() -> None:
    mask = np.zeros((6, 40, 40), bool)
    mask[1:5, 10:20, 10:20] = True
    mask[3, 30:33, 30:33] = True
    found = vlsenet.measure(mask, pixel_size_nm=10, slice_spacing_nm=30)
    assert sorted(found.pores_3d["volume_voxels"]) == [9, 400]
    assert found.pores_3d["volume_um3"].max() == pytest.approx(400 * 10 * 10 * 30 / 1e9)
    with pytest.raises(vlsenet.UserError, match="a single image, not a stack"):
        _ = vlsenet.measure(mask[3]).pores_3d


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": np.zeros((4, 5, 6, 7))}, r"mask has the shape \(4, 5, 6, 7\); give \(H, W\)"),
        ({"mask": np.zeros((40, 50, 3))}, "as an image in colour"),
        ({"mask": np.zeros((4, 5)), "rock": np.ones((5, 4))}, r"rock has the shape \(1, 5, 4\)"),
        ({"mask": np.full((4, 5), np.nan)}, "mask has pixels that are masked or NaN"),
        ({"mask": np.ma.masked_less(np.eye(5), 1)}, "mask has pixels that are masked or NaN"),
        ({"mask": np.zeros((4, 5)), "pixel_size_nm": 0}, "pixel_size_nm=0: give"),
        ({"mask": np.zeros((4, 5)), "min_pore_area_px": 0}, "min_pore_area_px=0: give"),
    ],
)
def test_mistakes(arguments: dict, message: str) -> None:
    with pytest.raises(vlsenet.UserError, match=message):
        vlsenet.measure(**arguments)


def test_a_mask_without_pores() -> None:
    found = vlsenet.measure(np.zeros((64, 64)))
    assert found.porosity == 0
    assert len(found.pores) == 0
    assert found.sizes is None
    assert found.orientation is None
    assert found.summary()["pores"] == 0


@pytest.mark.parametrize(
    ("mask", "options", "message"),
    [
        (np.full((5, 5), 0.3), {}, "mask holds 0.3: .*of a probability give probability >= 0.5"),
        (np.full((5, 5), "a"), {}, "mask has the type <U1; give truth values or whole numbers"),
        ("mask.png", {}, "mask is 'mask.png', but an array is needed"),
        (None, {}, "mask is None, but an array is needed"),
        (np.eye(5), {"value": [1, 2]}, r"value=\[1, 2\]: give one number"),
        (np.eye(5), {"value": "1"}, "value='1': give one number"),
        (np.eye(5), {"pixel_size_nm": "scale-bar"}, "pixel_size_nm='scale-bar': give a number"),
        (np.eye(5), {"phase": None}, "phase=None: give its name"),
        (np.eye(5), {"rock": np.full((5, 5), 0.3)}, "rock holds 0.3"),
    ],
)
def test_what_is_no_mask_or_no_option(mask: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(vlsenet.UserError, match=message):
        vlsenet.measure(mask, **options)
