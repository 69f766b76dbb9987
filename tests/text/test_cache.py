from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import torch

from pipeline.text.clip_source import FeatureCache, default_cache_dir
from pipeline.text.features import TextFeatures

FEATURES = TextFeatures(torch.arange(4.0), torch.arange(12.0).reshape(3, 4))


def test_round_trip_leaves_only_the_file(tmp_path):
    cache = FeatureCache(tmp_path / "new", "clip", "RN50", "openai", 4)
    assert cache.get("pore") is None
    cache.put("pore", FEATURES)
    found = cache.get("pore")
    assert torch.equal(found.text, FEATURES.text)
    assert torch.equal(found.tokens, FEATURES.tokens)
    assert list((tmp_path / "new").iterdir()) == [cache.path("pore")]


def test_each_part_of_the_key_counts(tmp_path):
    keys = [("a", "clip", "RN50", "x"), ("b", "clip", "RN50", "x"), ("a", "untrained", "RN50", "x")]
    keys += [("a", "clip", "RN101", "x"), ("a", "clip", "RN50", "y"), ("a", "clip", "RN", "50x")]
    paths = {FeatureCache(tmp_path, *identity, 4).path(prompt) for prompt, *identity in keys}
    assert len(paths) == len(keys)


@pytest.mark.parametrize("damage", ["empty", "cut", "other", "of another model", "not finite", "whole numbers"])
def test_damaged_file_counts_as_none_and_is_logged(damage, tmp_path, caplog):
    cache = FeatureCache(tmp_path, "clip", "RN50", "openai", 4)
    cache.put("pore", FEATURES)
    path = cache.path("pore")
    others = {
        "other": TextFeatures(torch.zeros(5), FEATURES.tokens),
        "of another model": TextFeatures(torch.zeros(3), torch.zeros(2, 3)),
        "not finite": TextFeatures(FEATURES.text * float("nan"), FEATURES.tokens),
        "whole numbers": TextFeatures(FEATURES.text.int(), FEATURES.tokens.int()),
    }
    if damage in others:
        cache.put("pore", others[damage])
    else:
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:-7])
    assert cache.get("pore") is None
    assert path.name in caplog.text
    cache.put("pore", FEATURES)
    assert torch.equal(cache.get("pore").text, FEATURES.text)


def test_a_folder_that_cannot_be_made_costs_only_the_cache(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    cache = FeatureCache(tmp_path / "file" / "sub", "clip", "RN50", "openai", 4)
    cache.put("pore", FEATURES)
    assert cache.get("pore") is None
    assert "not cached" in caplog.text


def test_others_may_read_the_cache_where_the_umask_lets_them(tmp_path):
    cache = FeatureCache(tmp_path, "clip", "RN50", "openai", 4)
    before = os.umask(0o022)
    try:
        cache.put("pore", FEATURES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.path("pore").stat().st_mode) == 0o644


def test_a_file_that_cannot_be_read_costs_only_the_cache(tmp_path, monkeypatch, caplog):
    cache = FeatureCache(tmp_path, "clip", "RN50", "openai", 4)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # for root all files are open
    assert cache.get("pore") is None
    assert "cannot be read (Permission denied)" in caplog.text
    assert "damaged" not in caplog.text


def test_default_folder(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache_dir() == Path("/somewhere/vlsenet/text")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/person")
    assert default_cache_dir() == Path("/home/person/.cache/vlsenet/text")
