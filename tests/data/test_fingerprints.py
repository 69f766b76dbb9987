"""What two fingerprints say of the data between them: each change by its name, and nothing that is not used."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.data import index_dataset
from pipeline.data.fingerprints import changes, hash_of

RegionsOf = dict[str, float]


@pytest.fixture
def rock(make_dataset: Callable[[RegionsOf], Path]) -> Path:
    root = make_dataset({"a": 0.1, "b": 0.2, "c": 0.3})
    (root / "split.csv").write_text("name,source,split\na,a,train\nb,b,val\nc,c,test\n")
    return root


def overwrite(root: Path, folder: str, name: str) -> None:
    shutil.copy(root / folder / "b.png", root / folder / f"{name}.png")


def test_what_changed_is_named(rock: Path) -> None:
    before = index_dataset(rock).fingerprint()
    assert changes(before, index_dataset(rock).fingerprint(), sentences=True) == ""
    overwrite(rock, "labels", "a")
    assert changes(before, index_dataset(rock).fingerprint(), sentences=True) == "label of a"
    overwrite(rock, "images", "a")
    assert changes(before, index_dataset(rock).fingerprint(), sentences=True) == "image of a; label of a"
    (rock / "split.csv").write_text("name,source,split\na,a,train\nb,b,val\n")
    assert changes(before, index_dataset(rock).fingerprint(), True, ("train",)) == "image of a; label of a"
    assert changes(before, index_dataset(rock).fingerprint(), True).endswith("; gone: c")
    assert changes(index_dataset(rock).fingerprint(), before, True).endswith("; new: c")


def test_what_no_file_tells_is_named(rock: Path) -> None:
    before = index_dataset(rock, pore_label=255).fingerprint()
    assert "meaning of the label values" in changes(before, index_dataset(rock, pore_label=0).fingerprint(), False)


def test_sentences_change_the_data_only_where_they_are_asked(rock: Path) -> None:
    before = index_dataset(rock).fingerprint()
    (rock / "text").mkdir()
    (rock / "text" / "a.txt").write_text("thin pores")
    now = index_dataset(rock).fingerprint()
    assert now["hash"] == before["hash"]
    assert changes(before, now, sentences=False) == ""
    assert changes(before, now, sentences=True) == "sentence of a"
    assert hash_of(now, sentences=True) != hash_of(before, sentences=True) == before["hash"]
