from __future__ import annotations

import numpy as np
import torch

from pipeline.foreground.measurement import Foreground
from pipeline.images.volume import volume_of_array
from pipeline.synthetic import generate
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from pipeline.transforms import NormaliseMicrographd


def test_an_image_is_normalised_as_the_engine_does_it():
    image = generate((300, 420), seed=0).image.copy()
    image[:, 300:] = 0  # blank ground
    with volume_of_array(image, "a") as volume:
        windows = Windows(ChunkPlan(*image.shape, chunk=256), 64)
        normalisation = Foreground.measured(volume, windows, True, True).normalisation
    expected = normalisation.normalised(image, 0, 0, 0)
    given = torch.from_numpy(image)[None]
    found = NormaliseMicrographd("image")({"image": given, "name": "a"})["image"]
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(given[0], image)  # not written into
    rock = found[0, :, :300]
    assert abs(float(rock.median())) < 0.1
    assert float(found[0, :, 300:].min()) > float(rock.min()) - 0.01  # ground is no darker than rock


def test_an_image_of_one_value_becomes_zero():
    assert not NormaliseMicrographd("image")({"image": torch.full((1, 40, 40), 7.0)})["image"].any()


def test_without_flattening_it_is_mean_0_and_spread_1():
    image = torch.from_numpy(generate((200, 200), seed=0).image * np.linspace(0.5, 1, 200))[None].float()
    plain = NormaliseMicrographd("image", skip_empty=False, flatten_shading=False)({"image": image})["image"]
    torch.testing.assert_close(plain, (image - image.mean()) / image.std(correction=0), rtol=1e-4, atol=1e-4)
