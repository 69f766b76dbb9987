from __future__ import annotations

import numpy as np

from pipeline.images.grey import channels_differ
from tests.images.cases import noise

SAME, COLOURS = np.repeat(noise((96, 128))[..., None], 3, axis=2), noise((96, 128, 3))


def test_a_few_coloured_pixels_are_a_scale_bar() -> None:
    image = SAME.copy()
    image[90:92, 10:40] = 255, 0, 0
    assert not channels_differ(image)
    image[60:92, 10:40] = 255, 0, 0
    assert channels_differ(image)


def test_any_number_of_bits() -> None:
    assert not channels_differ(np.zeros((4, 4, 3), np.uint8))
    assert channels_differ(COLOURS.astype(np.float32) / 255)
    assert channels_differ(COLOURS.astype(np.uint16) << 8)
