from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import DatasetIndex, index_dataset
from pipeline.errors import UserError
from pipeline.workflows import check_trust, data_trust, warn_of_leaks
from tests.data.test_label_fit import rock


def dataset(folder: Path, planted: bool) -> DatasetIndex:
    """Four images in two splits; with errors planted, one shares a turned crop and one has its mask shifted."""
    for name in ("images", "labels"):
        (folder / name).mkdir()
    pairs = [rock(k, (200, 220)) for k in range(4)]
    if planted:
        pairs[3] = tuple(np.rot90(part)[10:180, 15:190] for part in pairs[0])  # type: ignore[assignment]
        pairs[1] = pairs[1][0], np.roll(pairs[1][1], 6, 0)
    for k, (image, mask) in enumerate(pairs):
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / "images" / f"{k}.png")
        Image.fromarray(mask.astype(np.uint8)).save(folder / "labels" / f"{k}.png")
    rows = "".join(f"{k},{k},{split}\n" for k, split in enumerate(("train", "train", "val", "val")))
    (folder / "split.csv").write_text(f"name,source,split\n{rows}")
    return index_dataset(folder)


def test_a_good_data_set_passes_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = dataset(tmp_path, planted=False)
    check_trust(index, tmp_path / "out")
    warn_of_leaks(index, "val")
    assert not caplog.messages
    assert not (tmp_path / "out").exists()


def test_leaks_are_refused_unless_allowed_and_masks_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = dataset(tmp_path, planted=True)
    with pytest.raises(UserError, match="--allow_leaks") as refused:
        check_trust(index, tmp_path / "out")
    assert "0 (train, source 0) and 3 (val, source 3) overlap" in str(refused.value)
    assert not (tmp_path / "out").exists()
    with caplog.at_level(logging.WARNING, "vlsenet"):
        check_trust(index, tmp_path / "out", allow_leaks=True)
    assert "1 pair of images share content between splits" in caplog.text
    assert "1.png looks shifted: it fits its image when moved by 6 px up" in caplog.text
    with Image.open(tmp_path / "out" / "label_check.png") as picture:
        assert picture.width > 2 * 220


def test_evaluation_warns_of_leaks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = dataset(tmp_path, planted=True)
    with caplog.at_level(logging.WARNING, "vlsenet"):
        warn_of_leaks(index, "train")
        warn_of_leaks(index, "all")
        assert not caplog.messages
        warn_of_leaks(index, "val")
    assert "scores will be too optimistic" in caplog.text


def test_a_search_that_is_not_finished_is_told(tmp_path, caplog, monkeypatch) -> None:
    monkeypatch.setattr(data_trust, "_LEAK_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING, "vlsenet"):
        check_trust(dataset(tmp_path, planted=False), tmp_path / "out")
    assert "0 % of the comparisons" in caplog.text


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_pore_is_refused(tmp_path: Path, split: str) -> None:
    index = dataset(tmp_path, planted=False)
    samples = tuple(
        replace(sample, phase_pixels={"pore": 0}) if sample.split == split else sample for sample in index.samples
    )
    with pytest.raises(UserError, match=f"no label of the split '{split}' holds pore"):
        check_trust(replace(index, samples=samples), tmp_path / "out")
