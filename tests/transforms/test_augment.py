from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from monai.config import NdarrayOrTensor
from monai.data import CacheDataset, MetaTensor
from monai.transforms import Compose

import pipeline.transforms
from pipeline.errors import UserError
from pipeline.transforms import RandChargingd, RandCurtainingd, RandShadingd, RandShotNoised
from pipeline.transforms.augment import RandArtifactd

ALL = [RandShadingd, RandCurtainingd, RandChargingd, RandShotNoised]


def image(seed: int = 0, channels: int = 1) -> MetaTensor:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(channels, 48, 64, generator=generator)
    return MetaTensor(pixels, affine=2 * torch.eye(4), meta={"filename_or_obj": "a.png"})


def acted(transform: RandArtifactd, before: NdarrayOrTensor) -> NdarrayOrTensor:
    return transform({"image": before})["image"]


@pytest.mark.parametrize("transform", ALL)
def test_a_transform_changes_the_image_and_keeps_what_it_is(transform):
    before = image()
    after = acted(transform("image", prob=1.0).set_random_state(3), before)
    assert isinstance(after, MetaTensor)
    assert after.meta["filename_or_obj"] == "a.png"
    assert torch.equal(after.affine, before.affine)
    assert after.shape == before.shape
    assert after.dtype == before.dtype
    assert not torch.equal(after, before)
    assert torch.equal(before, image())


@pytest.mark.parametrize("transform", ALL)
def test_types_go_out_as_they_came_in(transform):
    step = transform("image", prob=1.0)
    assert type(acted(step, torch.randn(1, 16, 16))) is torch.Tensor
    assert acted(step, torch.randn(1, 16, 16).half()).dtype == torch.float16
    from_integers = acted(step, np.random.default_rng(0).integers(0, 255, (1, 16, 16), dtype=np.uint8))
    assert type(from_integers) is np.ndarray
    assert from_integers.dtype == np.float32


@pytest.mark.parametrize("transform", ALL)
def test_same_seed_same_result_and_survives_pickling(transform):
    first = transform("image", prob=0.5).set_random_state(11)
    second = pickle.loads(pickle.dumps(transform("image", prob=0.5).set_random_state(11)))
    results = [acted(first, image()) for _ in range(8)]
    assert all(torch.equal(one, acted(second, image())) for one in results)
    assert any(not torch.equal(one, image()) for one in results)
    assert any(torch.equal(one, image()) for one in results)


@pytest.mark.parametrize("transform", ALL)
def test_each_channel_gets_the_same_artefact(transform):
    before = image().repeat(2, 1, 1)
    after = acted(transform("image", prob=1.0), before)
    assert torch.equal(after[0], after[1])
    assert not torch.equal(after, before)


@pytest.mark.parametrize("transform", ALL)
def test_a_transform_touches_its_keys_only_and_treats_them_alike(transform):
    label = torch.ones(1, 48, 64)
    data = {"image": image(), "second": image(), "label": label, "name": "a"}
    out = transform(keys=["image", "second"], prob=1.0)(data)
    assert out["label"] is label
    assert torch.equal(label, torch.ones(1, 48, 64))
    assert out["name"] == "a"
    assert torch.equal(out["image"], out["second"])
    assert not torch.equal(out["image"], data["image"])
    assert out["image"].meta["filename_or_obj"] == "a.png"


@pytest.mark.parametrize("transform", ALL)
def test_a_transform_with_a_missing_key(transform):
    data = {"image": image()}
    with pytest.raises(KeyError):
        transform(keys=["image", "other"], prob=1.0)(data)
    assert set(transform(keys=["image", "other"], prob=1.0, allow_missing_keys=True)(data)) == {"image"}


@pytest.mark.parametrize("transform", ALL)
def test_cached_images_stay_as_they_were(transform):
    dataset = CacheDataset(
        [{"image": image()}], Compose([transform(keys="image", prob=1.0)]), progress=False, copy_cache=False
    )
    for _ in range(3):
        assert not torch.equal(dataset[0]["image"], image())
    assert len(dataset[0]["image"].applied_operations) <= 1


def test_strength_counts_in_standard_deviations_of_the_image():
    shaded = acted(RandShadingd("image", prob=1.0, strength=(0.4, 0.4)), image())
    assert float((shaded - image()).abs().max()) == pytest.approx(0.4, abs=1e-4)
    striped = acted(RandCurtainingd("image", prob=1.0, strength=(0.3, 0.3)), torch.zeros(1, 192, 192))
    assert float(striped.std()) == pytest.approx(0.3, rel=0.3)
    charged = acted(RandChargingd("image", prob=1.0, strength=(1.2, 1.2)), image())
    assert float((charged - image()).max()) == pytest.approx(1.2, abs=1e-4)
    noisy = acted(RandShotNoised("image", prob=1.0, shot=(0.2, 0.2), read=(0.0, 0.0)), torch.zeros(1, 400, 400))
    assert float(noisy.std()) == pytest.approx(0.2, rel=0.02)


def test_shot_noise_grows_with_the_signal_from_none_at_three_deviations_below_the_mean():
    levels = torch.tensor([-4.0, -3.0, -1.5, 0.0, 3.0])
    before = levels[None, :, None].repeat(1, 1, 20000)
    noise = RandShotNoised("image", prob=1.0, shot=(0.2, 0.2), read=(0.0, 0.0)).set_random_state(0)
    expected = 0.2**2 * torch.tensor([0, 0, 0.5, 1, 2])
    assert torch.allclose((acted(noise, before) - before)[0].var(dim=1), expected, rtol=0.05)


def test_stripes_run_down_the_columns_where_no_tilt_is_allowed():
    straight = acted(RandCurtainingd("image", prob=1.0, max_angle=0.0), torch.zeros(1, 64, 64))
    tilted = acted(RandCurtainingd("image", prob=1.0, max_angle=45.0).set_random_state(1), torch.zeros(1, 64, 64))
    # a pattern of straight stripes is two profiles that fade into each other along the columns
    assert (
        np.linalg.matrix_rank(straight[0].numpy(), tol=1e-4) <= 2 < np.linalg.matrix_rank(tilted[0].numpy(), tol=1e-4)
    )


def test_nothing_is_clipped():
    far = 50 + 10 * image()
    for transform in ALL:
        out = acted(transform("image", prob=1.0).set_random_state(0), far)
        assert float(out.max()) > 60
        assert float(out.min()) < 40


@pytest.mark.parametrize("strength", [(0.5, 0.1), (-0.1, 0.5), 0.3, (0.1, 0.2, 0.3), "ab", None])
def test_a_wrong_range_is_refused(strength):
    with pytest.raises(UserError, match="strength must be a pair"):
        RandShadingd("image", strength=strength)


def test_a_number_that_an_artefact_does_not_have_is_refused():
    with pytest.raises(UserError, match=r"RandShadingd.*'width'.*strength"):
        RandShadingd("image", width=(1.0, 2.0))


def test_an_image_without_channel_is_refused():
    with pytest.raises(UserError, match=r"RandChargingd needs one image of shape \(C, H, W\), got \(48, 64\)"):
        acted(RandChargingd("image", prob=1.0), image()[0])


def test_package_lists_what_it_resolves():
    for name in pipeline.transforms.__all__:
        assert getattr(pipeline.transforms, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = pipeline.transforms.Nothing
