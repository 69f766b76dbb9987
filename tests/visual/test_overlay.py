from __future__ import annotations

import numpy as np
import pytest
from skimage.segmentation import find_boundaries

from pipeline.visual.drawing import FALSE_NEGATIVE, FALSE_POSITIVE, PORE, TRUE_POSITIVE
from pipeline.visual.overlay import error_overlay, inner_edge, mask_overlay, phase_overlay, to_grey8


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(20_000, 3_000, (40, 60)).clip(0, 65_535).astype(np.uint16)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_stretch_does_not_depend_on_type_or_scale(dtype):
    ramp = np.arange(200).reshape(10, 20)
    grey = to_grey8(ramp.astype(dtype))
    assert grey.dtype == np.uint8
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()
    assert (grey.min(), grey.max()) == (0, 255)
    if dtype != np.uint8:
        np.testing.assert_allclose(to_grey8((ramp * 100 + 7).astype(dtype)).astype(int), grey, atol=1)


def test_hot_pixels_do_not_darken_the_image():
    values = np.random.default_rng(1).uniform(100, 110, (50, 50))
    expected = to_grey8(values)
    values[3, 4], values[9, 9] = 1e6, -1e6
    assert np.abs(to_grey8(values).astype(int) - expected)[values < 1e5].mean() < 3


def test_constant_nearly_constant_and_bad_values():
    assert (to_grey8(np.full((4, 5), 7, np.uint16)) == 128).all()
    single = np.zeros((100, 100))
    single[0, 0] = 3
    assert to_grey8(single)[0, 0] == 255
    values = np.linspace(0, 1, 100).reshape(10, 10)
    values[0, 0], values[5, 5] = np.nan, np.inf
    grey = to_grey8(values)
    assert grey[0, 0] == grey[5, 5] == 0
    assert grey[9, 9] == 255
    assert (to_grey8(np.full((3, 3), np.nan)) == 0).all()


def test_colour_images_are_refused():
    with pytest.raises(ValueError, match="grey image"):
        to_grey8(np.zeros((4, 4, 3)))


def test_outside_the_mask_the_image_stays(image):
    mask = np.zeros(image.shape, np.uint8)
    mask[5:15, 10:30] = 255
    rgb = mask_overlay(image, mask)
    assert rgb.shape == (40, 60, 3)
    assert rgb.dtype == np.uint8
    grey = np.repeat(to_grey8(image)[..., None], 3, axis=2)
    np.testing.assert_array_equal(rgb[mask == 0], grey[mask == 0])


def test_contour_is_full_colour_and_the_inside_lets_the_grey_through(image):
    mask = np.zeros(image.shape, bool)
    mask[5:15, 10:30] = True
    rgb = mask_overlay(image, mask)
    inside = np.zeros_like(mask)
    inside[6:14, 11:29] = True
    assert (rgb[mask & ~inside] == PORE).all()
    grey, blue = to_grey8(image)[inside].astype(float), rgb[inside][:, 2].astype(float)
    assert np.corrcoef(grey, blue)[0, 1] > 0.99
    assert blue.std() > 0.5 * grey.std()


def test_a_large_pore_is_no_darker_than_its_colour():
    """Orange over black would be brown, and hardly told from the grey around it."""
    mask = np.zeros((30, 30), bool)
    mask[5:25, 5:25] = True
    rgb = mask_overlay(np.where(mask, 0, 150).astype(np.uint8), mask)
    assert (rgb[mask] == PORE).all()


def test_each_phase_has_its_colour(image):
    codes = np.zeros(image.shape, np.uint8)
    codes[:10], codes[20:25] = 1, 2
    rgb = phase_overlay(image, codes, [PORE, (0, 114, 178)])
    assert (rgb[9] == PORE).all()
    assert (rgb[20] == (0, 114, 178)).all()
    np.testing.assert_array_equal(rgb[codes == 0], np.repeat(to_grey8(image)[..., None], 3, axis=2)[codes == 0])


def test_a_pore_of_one_pixel_width_is_drawn_in_full_colour(image):
    mask = np.zeros(image.shape, bool)
    np.fill_diagonal(mask, True)
    assert (mask_overlay(image, mask)[mask] == PORE).all()


def test_errors_in_three_colours_and_the_rest_grey(image):
    predicted, truth = np.zeros(image.shape, np.uint8), np.zeros(image.shape, bool)
    predicted[:20], truth[10:30] = 1, True
    rgb = error_overlay(image, predicted, truth, legend=False)
    assert (rgb[:10] == FALSE_POSITIVE).all()
    assert (rgb[20:30] == FALSE_NEGATIVE).all()
    assert (rgb[30:] == to_grey8(image)[30:, :, None]).all()
    hit = rgb[10:20].reshape(-1, 3).astype(float)
    # translucent: on the line from grey to the colour, nearer to the colour
    expected = 0.35 * to_grey8(image)[10:20].reshape(-1, 1) + 0.65 * np.array(TRUE_POSITIVE)
    np.testing.assert_allclose(hit, expected, atol=0.51)


def test_the_legend_is_below_and_the_picture_stays(image):
    mask = image > 20_000
    bare = error_overlay(image, mask, ~mask, legend=False)
    full = error_overlay(image, mask, ~mask)
    assert full.shape[0] > 40
    np.testing.assert_array_equal(full[:40, :60], bare)


@pytest.mark.parametrize("wrong", [(40, 59), (1, 40, 60), (60, 40)])
def test_sizes_must_agree(wrong, image):
    with pytest.raises(ValueError, match="mask is"):
        mask_overlay(image, np.zeros(wrong))
    with pytest.raises(ValueError, match="mask is"):
        error_overlay(image, np.zeros(image.shape), np.zeros(wrong))


def test_inputs_are_left_as_they_are(image):
    before, mask = image.copy(), image > 20_000
    mask_before = mask.copy()
    mask_overlay(image, mask)
    error_overlay(image, mask, mask)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(mask, mask_before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (40, 50)])
@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_the_inner_edge_is_that_of_skimage(shape: tuple[int, int], share: float) -> None:
    there = np.random.default_rng(0).random(shape) < share
    np.testing.assert_array_equal(inner_edge(there), find_boundaries(there, mode="inner"))
