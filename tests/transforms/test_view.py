"""The view around a patch against the place that the patch itself shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, RandFlipd, RandRotate90d, RandZoomd, SpatialPadd

from pipeline.networks.surroundings import FACTOR, view_margin, view_side
from pipeline.transforms import PatchViewd, RandPhaseCropd, RandViewGreysd

REACH, SIZE = 240, 96
HIGH, WIDE = 800, 1000


def block_means(image: np.ndarray) -> np.ndarray:
    return image.reshape(image.shape[0], image.shape[1] // FACTOR, FACTOR, -1, FACTOR).mean((2, 4))


def ramps(pixel_size: float = 1.0) -> dict:
    """An image whose two channels are its rows and its columns, and the same at an eighth of the resolution."""
    image = np.stack(np.mgrid[:HIGH, :WIDE]).astype(np.float32)
    affine = np.diag([pixel_size, pixel_size, 1.0])
    return {
        "image": MetaTensor(image, affine=affine),
        "label": MetaTensor(np.zeros((1, HIGH, WIDE), np.float32), affine=affine),
        "coarse": MetaTensor(block_means(image), affine=affine),
    }


def augmented(zoom: tuple[float, float] = (0.8, 1.25)) -> Compose:
    """As in `train.yaml`."""
    both = ["image", "label"]
    return Compose(
        [
            SpatialPadd(both, [SIZE, SIZE], mode="symmetric"),
            RandPhaseCropd(both, SIZE),
            RandFlipd(both, 0.5, spatial_axis=0),
            RandRotate90d(both, 0.75, max_k=3),
            RandZoomd(
                both, 0.5, min_zoom=zoom[0], max_zoom=zoom[1], mode=["bilinear", "nearest"], padding_mode="reflect"
            ),
            PatchViewd("image", REACH),
        ]
    )


@pytest.mark.parametrize("pixel_size", [1.0, 12.5])
@pytest.mark.parametrize("held", [False, True])
def test_the_view_lies_where_the_patch_does_whatever_was_done_to_it(pixel_size: float, held: bool) -> None:
    transform = augmented()
    margin, inside = view_margin(REACH), slice(SIZE // 4, -SIZE // 4)  # a zoom repeats the border of the patch
    data = ramps(pixel_size)
    if held:
        data["label"][:, 300:320, 400:420] = 1
        data["phase_shares"] = np.array([1.0])
    zoomed = 0
    for seed in range(25):
        out = transform.set_random_state(seed)(data)
        assert out["view"].shape == (2, view_side(SIZE, REACH), view_side(SIZE, REACH))
        assert "coarse" not in out
        patch = out["image"].numpy()
        step = np.abs(patch[:, 41, 40] - patch[:, 40, 40]).max()
        zoomed += not 0.99 < step < 1.01
        shown = out["view"].numpy()[:, margin:-margin, margin:-margin]
        inner = slice(SIZE // 4 // FACTOR, -SIZE // 4 // FACTOR)
        np.testing.assert_allclose(shown[:, inner, inner], block_means(patch[:, inside, inside]), atol=0.51)
    assert zoomed > 3


def test_the_view_goes_on_beyond_the_patch_and_ends_with_the_image() -> None:
    data = ramps()
    data["coarse"][1] = 1  # as the coverage is
    transform = Compose([RandPhaseCropd(["image", "label"], SIZE), PatchViewd("image", REACH)]).set_random_state(0)
    out = transform(data)
    top, left = (int(start) for start in out["image"][:, 0, 0])
    margin, side = view_margin(REACH), view_side(SIZE, REACH)
    rows = top + (np.arange(side) - margin + 0.5) * FACTOR - 0.5
    columns = left + (np.arange(side) - margin + 0.5) * FACTOR - 0.5
    within = np.ix_((rows >= 3.5) & (rows <= HIGH - 4.5), (columns >= 3.5) & (columns <= WIDE - 4.5))
    view = out["view"].numpy()
    expected = np.broadcast_to(rows[:, None], (side, side))
    np.testing.assert_allclose(view[0][within], expected[within], atol=1e-2)
    assert (view[1][within] == 1).all()
    outside = np.ix_((rows < -FACTOR) | (rows > HIGH + FACTOR), np.arange(side) >= 0)
    assert (view[:, outside[0].ravel()] == 0).all()


def test_a_small_image_is_shown_as_small_as_it_is() -> None:
    image = np.ones((1, 40, 64), np.float32)
    data = {
        "image": MetaTensor(image, affine=np.eye(3)),
        "label": MetaTensor(image, affine=np.eye(3)),
        "coarse": MetaTensor(np.ones((2, 5, 8), np.float32), affine=np.eye(3)),
    }
    view = augmented((1.0, 1.0)).set_random_state(3)(data)["view"]
    assert float(view[1].sum()) == pytest.approx(40 * 64 / FACTOR**2, rel=1e-5)


def test_greys_change_and_what_is_outside_stays_outside() -> None:
    view = torch.stack([torch.randn(20, 20), torch.ones(20, 20)])
    view[:, :7] = 0
    changed = RandViewGreysd("view", 1.0).set_random_state(1)({"view": view})["view"]
    assert torch.equal(changed[1], view[1])
    assert (changed[0, :7] == 0).all()
    gain = (changed[0, 10:] - changed[0, 10:].mean()) / (view[0, 10:] - view[0, 10:].mean())
    torch.testing.assert_close(gain, torch.full_like(gain, float(gain[0, 0])), rtol=1e-3, atol=1e-3)
    assert 0.7 <= float(gain[0, 0]) <= 1.3
    same = RandViewGreysd("view", 0.0)({"view": view})["view"]
    assert torch.equal(same, view)
