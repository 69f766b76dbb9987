from __future__ import annotations

import logging

import pytest

from pipeline.engine.sizes import log_scale, network_scale


@pytest.mark.parametrize(
    ("size", "trained", "expected"),
    [
        (None, [10.0], (1, 1)),
        ((7.0, 7.0), [], (1, 1)),
        ((12.0, 12.0), [10.0], (1, 1)),  # the training zooms as far
        ((15.0, 15.0), [10.0, 20.0], (1, 1)),
        ((5.0, 5.0), [10.0, 20.0], (0.5, 0.5)),
        ((60.0, 60.0), [10.0, 20.0], (3, 3)),
        ((8.0, 18.0), [12.0], (8 / 12, 1.5)),  # pixels that are not square become so
    ],
)
def test_to_the_nearest_pixel_size_of_the_training(
    size: tuple[float, float] | None, trained: list[float], expected: tuple[float, float]
) -> None:
    assert network_scale(size, trained) == pytest.approx(expected)


def test_what_is_not_known_or_far_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="vlsenet")
    log_scale((10.0, 10.0), [11.0], "a.tif")
    log_scale((10.0, 10.0), [30.0], "a.tif")
    assert not caplog.text
    log_scale(None, [30.0], "b.tif")
    assert "b.tif" in caplog.text
    assert "--pixel_size_nm" in caplog.text
    log_scale(None, [], "d.tif")
    assert "d.tif: pixel size not known" in caplog.text
    log_scale((1.0, 1.0), [30.0], "c.tif")
    assert "a factor of 30.0" in caplog.text
