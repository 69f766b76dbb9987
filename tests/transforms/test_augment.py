from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, MetaTensor
from monai.transforms import Compose, InvertibleTransform

import pipeline.transforms
from pipeline.errors import UserError
from pipeline.transforms import (
    RandCharging,
    RandChargingd,
    RandCurtaining,
    RandCurtainingd,
    RandShading,
    RandShadingd,
    RandShotNoise,
    RandShotNoised,
)

ARRAY = [RandShading, RandCurtaining, RandCharging, RandShotNoise]
DICTIONARY = [RandShadingd, RandCurtainingd, RandChargingd, RandShotNoised]


def image(seed: int = 0, channels: int = 1) -> MetaTensor:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(channels, 48, 64, generator=generator)
    return MetaTensor(pixels, affine=2 * torch.eye(4), meta={"filename_or_obj": "a.png"})


@pytest.mark.parametrize("transform", ARRAY)
def test_array_transform_changes_the_image_and_keeps_what_it_is(transform):
    before = image()
    after = transform(prob=1.0).set_random_state(3)(before)
    assert isinstance(after, MetaTensor)
    assert after.meta["filename_or_obj"] == "a.png"
    assert torch.equal(after.affine, before.affine)
    assert after.shape == before.shape
    assert after.dtype == before.dtype
    assert not torch.equal(after, before)
    assert torch.equal(before, image())
    assert before.applied_operations == []


@pytest.mark.parametrize("transform", ARRAY)
def test_types_go_out_as_they_came_in(transform):
    assert type(transform(prob=1.0)(torch.randn(1, 16, 16))) is torch.Tensor
    assert transform(prob=1.0)(torch.randn(1, 16, 16).half()).dtype == torch.float16
    from_integers = transform(prob=1.0)(np.random.default_rng(0).integers(0, 255, (1, 16, 16), dtype=np.uint8))
    assert type(from_integers) is np.ndarray
    assert from_integers.dtype == np.float32


@pytest.mark.parametrize("transform", ARRAY + DICTIONARY)
def test_same_seed_same_result_and_survives_pickling(transform):
    is_array = transform in ARRAY
    data = image() if is_array else {"image": image()}

    def run(step):
        out = step(data)
        return out if is_array else out["image"]

    arguments = {} if is_array else {"keys": "image"}
    first = transform(prob=0.5, **arguments).set_random_state(11)
    second = pickle.loads(pickle.dumps(transform(prob=0.5, **arguments).set_random_state(11)))
    results = [run(first) for _ in range(8)]
    assert all(torch.equal(one, run(second)) for one in results)
    assert any(not torch.equal(one, image()) for one in results)
    assert any(torch.equal(one, image()) for one in results)


@pytest.mark.parametrize("transform", DICTIONARY)
def test_dictionary_transform_touches_its_keys_only_and_treats_them_alike(transform):
    label = torch.ones(1, 48, 64)
    data = {"image": image(), "second": image(), "label": label, "name": "a"}
    out = transform(keys=["image", "second"], prob=1.0)(data)
    assert out["label"] is label
    assert torch.equal(label, torch.ones(1, 48, 64))
    assert out["name"] == "a"
    assert torch.equal(out["image"], out["second"])
    assert not torch.equal(out["image"], data["image"])
    assert out["image"].meta["filename_or_obj"] == "a.png"


@pytest.mark.parametrize("transform", DICTIONARY)
def test_dictionary_transform_with_a_missing_key(transform):
    data = {"image": image()}
    with pytest.raises(KeyError):
        transform(keys=["image", "other"], prob=1.0)(data)
    assert set(transform(keys=["image", "other"], prob=1.0, allow_missing_keys=True)(data)) == {"image"}


@pytest.mark.parametrize("transform", DICTIONARY)
def test_cached_images_stay_as_they_were(transform):
    dataset = CacheDataset(
        [{"image": image()}], Compose([transform(keys="image", prob=1.0)]), progress=False, copy_cache=False
    )
    for _ in range(3):
        assert not torch.equal(dataset[0]["image"], image())
    assert len(dataset[0]["image"].applied_operations) <= 1


@pytest.mark.parametrize("prob", [0.0, 1.0])
def test_shading_inverts(prob):
    transform = RandShading(prob=prob, strength=(0.5, 2.0)).set_random_state(0)
    shaded = transform(transform(image(channels=2)))
    back = transform.inverse(transform.inverse(shaded))
    assert torch.allclose(back, image(channels=2), atol=1e-5)
    assert back.applied_operations == []


@pytest.mark.parametrize("prob", [0.0, 0.5, 1.0])
def test_dictionary_shading_inverts_within_a_composition(prob):
    transform = Compose([RandShadingd("image", prob=prob), RandShotNoised("image", prob=0.0)])
    for _ in range(6):
        out = transform({"image": image(), "label": torch.zeros(1, 48, 64)})
        assert torch.allclose(transform.inverse(out)["image"], image(), atol=1e-5)


def test_only_shading_claims_to_invert():
    invertible = {kind for kind in ARRAY + DICTIONARY if issubclass(kind, InvertibleTransform)}
    assert invertible == {RandShading, RandShadingd}


def test_strength_counts_in_standard_deviations_of_the_image():
    shaded = RandShading(prob=1.0, strength=(0.4, 0.4))(image())
    assert float((shaded - image()).abs().max()) == pytest.approx(0.4, abs=1e-4)
    striped = RandCurtaining(prob=1.0, strength=(0.3, 0.3))(torch.zeros(1, 192, 192))
    assert float(striped.std()) == pytest.approx(0.3, rel=0.3)
    charged = RandCharging(prob=1.0, strength=(1.2, 1.2))(image())
    assert float((charged - image()).max()) == pytest.approx(1.2, abs=1e-4)
    noisy = RandShotNoise(prob=1.0, shot=(0.2, 0.2), read=(0.0, 0.0))(torch.zeros(1, 400, 400))
    assert float(noisy.std()) == pytest.approx(0.2, rel=0.02)


def test_shot_noise_grows_with_the_signal_from_none_at_three_deviations_below_the_mean():
    levels = torch.tensor([-4.0, -3.0, -1.5, 0.0, 3.0])
    before = levels[None, :, None].repeat(1, 1, 20000)
    after = RandShotNoise(prob=1.0, shot=(0.2, 0.2), read=(0.0, 0.0)).set_random_state(0)(before)
    expected = 0.2**2 * torch.tensor([0, 0, 0.5, 1, 2])
    assert torch.allclose((after - before)[0].var(dim=1), expected, rtol=0.05)


def test_nothing_is_clipped():
    far = 50 + 10 * image()
    for transform in ARRAY:
        out = transform(prob=1.0).set_random_state(0)(far)
        assert float(out.max()) > 60
        assert float(out.min()) < 40


@pytest.mark.parametrize("strength", [(0.5, 0.1), (-0.1, 0.5), 0.3, (0.1, 0.2, 0.3), "ab", None])
def test_a_wrong_range_is_told(strength):
    with pytest.raises(UserError, match="strength must be a pair"):
        RandShading(strength=strength)


def test_an_image_without_channel_is_told():
    with pytest.raises(UserError, match=r"RandCharging needs one image of shape \(C, H, W\), got \(48, 64\)"):
        RandCharging(prob=1.0)(image()[0])


def test_package_lists_what_it_resolves():
    for name in pipeline.transforms.__all__:
        assert getattr(pipeline.transforms, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = pipeline.transforms.Nothing
