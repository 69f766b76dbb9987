from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline.visual.drawing import ERROR_LEGEND

# Full dichromacy in linear RGB: Machado, Oliveira & Fernandes, IEEE TVCG 15 (2009), severity 1.0
DICHROMACY = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def seen(rgb, matrix):
    value = np.asarray(rgb) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(matrix) @ linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("vision", DICHROMACY)
def test_error_colours_stay_apart(vision):
    lab = [rgb2lab(seen(colour, DICHROMACY[vision])) for _, colour in ERROR_LEGEND]
    for one, other in combinations(lab, 2):
        # about 2 is just noticeable, above 20 is another colour
        assert deltaE_ciede2000(one, other) > 20


def test_error_colours_differ_in_lightness():
    lightness = [rgb2lab(np.asarray(colour) / 255)[0] for _, colour in ERROR_LEGEND]
    assert min(abs(a - b) for a, b in combinations(lightness, 2)) > 7
