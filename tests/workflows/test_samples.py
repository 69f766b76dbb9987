from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from pipeline.errors import UserError
from pipeline.text import build_text_source
from pipeline.workflows import encode_prompts, trained_pixel_sizes


def index_of(folder: Path, sizes_nm: dict[str, float | None]) -> SimpleNamespace:
    """Images of stated pixel sizes; those named val* are for validation."""
    samples = []
    for name, size in sizes_nm.items():
        path = folder / f"{name}.tif"
        stated = {} if size is None else {"resolution": (1e7 / size, 1e7 / size), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(path, np.zeros((20, 20), np.uint8), **stated)
        samples.append(SimpleNamespace(image=path, split="val" if name.startswith("val") else "train"))
    return SimpleNamespace(samples=samples)


def test_pixel_sizes_are_those_of_the_training_images(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="vlsenet")
    index = index_of(tmp_path, {"a": 20.0, "b": 12.5, "c": 20.0, "d": None, "val": 5.0})
    assert trained_pixel_sizes(index) == pytest.approx([12.5, 20.0], rel=1e-4)
    assert "1 of 4 training images" in caplog.text
    assert trained_pixel_sizes(index, 7) == [7.0]
    assert trained_pixel_sizes(index_of(tmp_path, {"a": None})) == []
    assert "not known" in caplog.text


def test_a_network_that_reads_no_text_needs_no_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def out_of_reach(*_: object) -> None:
        raise UserError("out of reach")

    monkeypatch.setattr("pipeline.text.clip_source.load_clip_tower", out_of_reach)
    caplog.set_level(logging.INFO, logger="vlsenet")
    index = SimpleNamespace(samples=[SimpleNamespace(prompt="thin pores")], root=tmp_path)
    clip = build_text_source("clip", cache_dir=tmp_path)
    with pytest.raises(UserError, match="out of reach"):
        encode_prompts(index, clip)
    store = encode_prompts(index, clip, network_reads=False)
    assert store.provenance["source"] == "none"
    assert "thin pores" in store
    assert "this network reads no text" in caplog.text
    assert "have no effect" not in caplog.text
    assert encode_prompts(index, build_text_source("random"), network_reads=False).provenance["source"] == "random"
