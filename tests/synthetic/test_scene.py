from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.synthetic import SceneSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("porosity", 0.41),
        ("porosity", -0.01),
        ("porosity", float("nan")),
        ("anisotropy", 1.1),
        ("elongated_fraction", -1),
        ("grain_size", 0),
        ("pixel_size_nm", 0),
        ("noise", -0.1),
        ("orientation_deg", float("inf")),
    ],
)
def test_a_value_out_of_range_is_named(name, value):
    with pytest.raises(UserError, match=name):
        SceneSettings(**{name: value})
