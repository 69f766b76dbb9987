"""Phases: values to codes, codes to targets, probabilities to phases, against loops over pixels."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.phases import (
    PORE,
    UNKNOWN,
    UNLABELLED,
    LabelValues,
    Phase,
    decided,
    phases_from,
    taken_by_others,
    targets,
    united,
)

ROCK = LabelValues((Phase.of("pore"), Phase.of("silt grain", "a grain of silt")), ((2, 7), (1,)), (255, 254))


def test_values_become_the_codes_of_their_phases():
    label = np.random.default_rng(0).choice([0, 1, 2, 7, 9, 254, 255], (11, 13))
    expected = {0: 0, 9: 0, 2: 1, 7: 1, 1: 2, 254: UNLABELLED, 255: UNLABELLED}
    codes = ROCK.codes(label)
    assert codes.dtype == np.uint8
    assert all(codes[at] == expected[value] for at, value in np.ndenumerate(label))


def test_codes_follow_the_order_of_all_data_sets():
    codes = ROCK.codes(np.array([[1, 2, 0, 255]]), among=("crack", "silt grain", "pore"))
    assert codes.tolist() == [[2, 3, 0, UNLABELLED]]


def test_one_pore_value_is_the_phase_pore_asked_for_by_its_name():
    values = LabelValues.of_pore(255)
    assert values.names == (PORE,)
    assert values.phases[0].prompt == PORE
    assert values.codes(np.array([[0, 255, 3]])).tolist() == [[0, 1, 0]]


def test_targets_are_unknown_where_unlabelled_and_for_phases_that_a_set_does_not_name():
    codes = np.array([[0, 1, 3, UNLABELLED]], np.uint8)
    named = np.array([True, False, True])
    expected = [[[0, 1, 0, UNKNOWN]], [[UNKNOWN] * 4], [[0, 0, 1, UNKNOWN]]]
    assert targets(codes, named).tolist() == expected


def test_phases_of_several_sets_are_united_by_name_and_survive_json():
    silt, crack = Phase.of("silt grain", "silt"), Phase.of("crack")
    both = united([(Phase.of(PORE), silt), (crack, Phase.of("silt grain", "another phrase"))])
    assert both == (Phase.of(PORE), silt, crack)
    assert phases_from([phase.to_dict() for phase in both]) == both
    assert ROCK.named_among([phase.name for phase in both]).tolist() == [True, True, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_most_probable_phase_above_its_threshold_is_chosen(dtype):
    probability = np.random.default_rng(1).random((3, 9, 8)).astype(dtype)
    thresholds = (0.3, 0.5, 0.9)
    result = decided(probability, thresholds)
    for y in range(9):
        for x in range(8):
            reaching = [(p, k) for k, p in enumerate(probability[:, y, x], 1) if p >= thresholds[k - 1]]
            assert result[y, x] == (max(reaching)[1] if reaching else 0)


def test_one_phase_is_decided_by_its_threshold():
    probability = np.array([[[0.2, 0.5, 0.7]]])
    assert decided(probability, [0.5]).tolist() == [[0, 1, 1]]


def test_a_pixel_is_taken_by_others_whatever_the_threshold_of_a_phase_is():
    rng = np.random.default_rng(0)
    probability = rng.integers(0, 6, (4, 30, 40)) / 5  # many are equal
    probability[2, :10] = -1
    thresholds = [0.4, 0.8, 0.2, 0.6]
    taken = taken_by_others(probability, thresholds)
    for number in range(4):
        for own in (0.0, 0.2, 0.6, 1.0):
            codes = decided(probability, [own if k == number else one for k, one in enumerate(thresholds)])
            expected = (probability[number] >= own) & ~taken[number]
            np.testing.assert_array_equal(codes == number + 1, expected)
