from __future__ import annotations

import io
import random

import numpy as np
import pytest
import torch
from monai.transforms import Compose, RandFlipd, RandGaussianNoised, RandShiftIntensityd

from pipeline.transforms import RandShadingd
from pipeline.workflows import RandomState


def transforms() -> Compose:
    return Compose(
        [
            RandFlipd("image", prob=0.5),
            RandShadingd("image", prob=0.5),
            RandGaussianNoised("image", prob=0.5),
            RandShiftIntensityd("image", offsets=0.5, prob=0.5),
        ]
    )


def draw(compose: Compose) -> list:
    images = [compose({"image": torch.ones(1, 24, 24)})["image"] for _ in range(4)]
    return [*images, torch.rand(2), torch.from_numpy(np.random.rand(2)), torch.tensor(random.random())]


def test_what_is_drawn_after_a_restore_is_what_would_have_been_drawn():
    compose = transforms()
    draw(compose)
    state = RandomState(compose)
    file = io.BytesIO()
    torch.save(state.state_dict(), file)
    expected = draw(compose)
    assert not all(torch.equal(a, b) for a, b in zip(expected, draw(compose), strict=True))

    file.seek(0)
    fresh = transforms()  # as in a new process
    RandomState(fresh).load_state_dict(torch.load(file, weights_only=True))
    for drawn, wanted in zip(draw(fresh), expected, strict=True):
        torch.testing.assert_close(torch.as_tensor(drawn), torch.as_tensor(wanted), rtol=0, atol=0)


def test_other_transforms_are_refused():
    saved = RandomState(transforms()).state_dict()
    with pytest.raises(ValueError, match="not those"):
        RandomState(Compose([RandFlipd("image")])).load_state_dict(saved)
