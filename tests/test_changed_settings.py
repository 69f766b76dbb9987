"""Messages on what changed say it as people do: times as times, hashes short, one thing after the other."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.changed_settings import changed_settings
from pipeline.images import open_image


def test_only_what_differs_is_told_by_its_whole_name() -> None:
    before = {"a": 1, "network": {"preset": "small", "features": [1, 2]}, "gone": None, "prompt": "large pores"}
    now = {"a": 1, "network": {"preset": "base", "features": [1, 3]}, "new": True, "prompt": "pore"}
    assert changed_settings(before, now) == [
        "gone was null, now not given",
        "network.features was [1, 2], now [1, 3]",
        "network.preset was small, now base",
        "new was not given, now true",
        'prompt was "large pores", now pore',
    ]
    assert changed_settings(before, before) == []


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock whose zone is known."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


def test_a_file_that_changed_is_told_with_times_and_parts_of_hashes(tmp_path: Path, in_tokyo: None) -> None:
    path = tmp_path / "a.tif"

    def written(grey: int, when: float) -> dict[str, object]:
        tifffile.imwrite(path, np.full((20, 30), grey, np.uint8))
        os.utime(path, (when, when))
        return {"scan": open_image(path).fingerprint()}

    first = written(1, 1_700_000_000.25)
    assert changed_settings(first, written(1, 1_700_000_060)) == [
        "time of the file's last change was 2023-11-15 07:13:20+09:00, now 2023-11-15 07:14:20+09:00"
    ]
    (within_a_second,) = changed_settings(first, written(1, 1_700_000_000.5))
    assert within_a_second.endswith("07:13:20.250000+09:00, now 2023-11-15 07:13:20.500000+09:00")
    (content,) = changed_settings(first, written(2, 1_700_000_000.25))
    hashes = [one["scan"]["sha256_of_samples"][:12] for one in (first, written(2, 1_700_000_000.25))]
    assert content == f"content of the file (SHA-256) was {hashes[0]}, now {hashes[1]}"


def test_another_model_is_told_without_its_whole_hash() -> None:
    (told,) = changed_settings({"checkpoint_sha256": "ab" * 32}, {"checkpoint_sha256": "cd" * 32})
    assert told == "model (SHA-256) was abababababab, now cdcdcdcdcdcd"
