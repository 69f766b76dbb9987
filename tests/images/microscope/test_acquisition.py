from __future__ import annotations

import dataclasses
import json

import pytest

from pipeline.images.microscope import Acquisition

FULL = Acquisition(
    5.0, 4.0, 2000.0, "SE2", 8.0, 7.7, "10 Aug 2018", "ZEISS Merlin", 70,
    sources={"pixel_size": "ZEISS tag"}, warnings=("odd",),
)  # fmt: skip


def test_one_line() -> None:
    assert FULL.describe() == (
        "pixels of 4 x 5 nm (ZEISS tag), magnification 2000, 8 kV, working distance 7.7 mm, detector SE2, "
        "ZEISS Merlin, 10 Aug 2018, info bar of 70 rows"
    )
    assert Acquisition().describe() == "pixel size unknown"
    assert Acquisition(4.0, 4.0).describe() == "pixels of 4 nm (given)"


def test_plain_values_for_json() -> None:
    plain = json.loads(json.dumps(FULL.to_dict()))
    assert {**plain, "warnings": tuple(plain["warnings"])} == dataclasses.asdict(FULL)
    json.dumps(Acquisition().to_dict())


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FULL.detector = "BSE"  # type: ignore[misc]
