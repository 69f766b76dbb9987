from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import index_dataset, index_with_new_split
from pipeline.errors import UserError
from pipeline.phases import LabelValues

TEN = {f"w{i}_{j}": 0.05 * (i + 1) for i in range(5) for j in range(2)}


def _splits(index) -> dict[str, str]:
    return {sample.name: sample.split for sample in index.samples}


def test_without_anything_each_file_is_a_source(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(TEN)
    index = index_dataset(root)
    assert [s.name for s in index.samples] == sorted(TEN)
    assert all(s.source == s.name for s in index.samples)
    assert index.pore_label == 255
    assert len(index.select("val")) == 2
    assert len(index.select("train")) == 8
    assert "each file counts as its own source" in index.notes[0]
    assert "parts of 5 micrographs: w0 (2 files), w1 (2 files)" in index.notes[0]
    assert "--group_pattern '^([^-_. ]+)[-_. ]'" in index.notes[0]
    assert not index.skipped
    again = index_dataset(str(root))
    assert again.samples == index.samples


def test_sample(make_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_dataset({"a": 0.25, "b": 0.5}, values=(0, 1))
    (root / "text").mkdir()
    (root / "text" / "a.txt").write_text("thin pores\n")
    monkeypatch.chdir(root.parent)
    a, b = index_dataset("set", pore_label="1").samples
    assert (a.image, a.label) == (root / "images" / "a.png", root / "labels" / "a.png")
    assert (a.shape, a.pixels, a.pore_pixels, a.porosity) == ((24, 40), 960, 240, 0.25)
    assert (a.prompt, b.prompt) == ("thin pores", None)
    assert {a.split, b.split} == {"train", "val"}


def test_pattern_keeps_a_source_together(make_dataset: Callable[..., Path]) -> None:
    index = index_dataset(make_dataset(TEN), group_pattern=r"^w(\d)_")
    assert {s.source for s in index.samples} == set("01234")
    of_source: dict[str, set[str]] = {}
    for sample in index.samples:
        of_source.setdefault(sample.source, set()).add(sample.split)
    assert all(len(splits) == 1 for splits in of_source.values())
    assert len(index.select("val")) == 2


def test_split_csv_wins_and_may_name_a_part(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(TEN)
    (root / "split.csv").write_text("name,source,split\nw0_0,x,train\nw1_0,y,val\nw2_1.png,z,test\n")
    (root / "images" / "w4_1.png").write_bytes(b"")  # not named, so it does not matter
    (root / "labels" / "w3_1.png").unlink()
    index = index_dataset(root, group_pattern="(nonsense)")
    assert [(s.name, s.source, s.split) for s in index.samples] == [
        ("w0_0", "x", "train"),
        ("w1_0", "y", "val"),
        ("w2_1", "z", "test"),
    ]
    assert "7 image(s) are not in split.csv" in index.notes[0]
    assert "--group_pattern is ignored" in index.notes[1]
    new = index_with_new_split(root, {"train": 0.5, "val": 0.5}, skip_bad=True)
    assert len(new.samples) == 8


def test_select_names_the_splits_that_exist(make_dataset: Callable[..., Path]) -> None:
    index = index_dataset(make_dataset(TEN))
    with pytest.raises(UserError, match=r"split 'test'; existing splits: train \(8 images\), val \(2 images\)"):
        index.select("test")


def test_all_problems_at_once_and_skip_bad(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(TEN)
    (root / "images" / "w0_0.png").write_bytes(b"")
    (root / "labels" / "w1_0.png").unlink()
    Image.new("L", (9, 24)).save(root / "labels" / "w2_0.png")
    (root / "text").mkdir()
    (root / "text" / "w4_0.txt").write_text("")
    with pytest.raises(UserError) as caught:
        index_dataset(root)
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    assert "4 problems" in lines[0]
    for part in ("images/w0_0.png", "images/w1_0.png", "labels/w2_0.png", "text/w4_0.txt"):
        assert sum(part in line for line in lines) == 1
    assert "--skip_bad" in lines[-1]

    index = index_dataset(root, skip_bad=True)
    assert [s.name for s in index.samples] == sorted(TEN.keys() - {"w0_0", "w1_0", "w2_0"})
    assert len(index.skipped) == 4


def test_the_label_question_is_told_with_the_problems(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(TEN)
    label = np.asarray(Image.open(root / "labels" / "w0_0.png")).copy()
    label[0, 0] = 3
    Image.fromarray(label).save(root / "labels" / "w0_0.png")
    (root / "images" / "w1_0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"(?s)w1_0\.png.*more than two values.*--pore_label"):
        index_dataset(root)
    assert index_dataset(root, pore_label=3, skip_bad=True).pore_label == 3


def test_the_label_of_a_training_is_taken_where_it_occurs_and_none_is_given(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(TEN, values=(0, 2))
    assert index_dataset(root, usual=LabelValues.of_pore(0)).pore_label == 0
    assert index_dataset(root, usual=LabelValues.of_pore(0), divide=False).pore_label == 0
    assert index_dataset(root, usual=LabelValues.of_pore(0), pore_label=2).pore_label == 2
    assert index_dataset(root, usual=LabelValues.of_pore(255)).pore_label == 2


def test_without_a_need_for_pores_their_label_may_stay_open(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(TEN)
    label = np.asarray(Image.open(root / "labels" / "w0_0.png")).copy()
    label[0, 0] = 3
    Image.fromarray(label).save(root / "labels" / "w0_0.png")
    rows = "".join(f"{name},{name[:2]},{'val' if name[1] == '0' else 'train'}\n" for name in TEN)
    (root / "split.csv").write_text("name,source,split\n" + rows)
    with pytest.raises(UserError, match="more than two values"):
        index_dataset(root)
    assert index_dataset(root, pores=False).pore_label is None
    with pytest.raises(UserError, match="--pore_label 9 does not occur"):
        index_dataset(root, pores=False, pore_label=9)


def test_problems_of_the_split_csv(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(TEN)
    rows = "".join(f"{name},{name[:2]},{'val' if name[1] == '0' else 'train'}\n" for name in TEN)
    (root / "split.csv").write_text("name,source,split\n" + rows + "gone,x,train\n")
    with pytest.raises(UserError, match=r"split\.csv: line 12 \(gone\): no image"):
        index_dataset(root)
    index = index_dataset(root, skip_bad=True)
    assert len(index.samples) == 10
    assert len(index.skipped) == 1
    (root / "split.csv").write_text("name,source,split\n" + rows.replace("w0_1,w0,val", "w0_1,w0,train"))
    for skip_bad in (False, True):  # nobody can tell which one is meant
        with pytest.raises(UserError, match="source w0 is in train and val"):
            index_dataset(root, skip_bad=skip_bad)


def test_nothing_left(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.1, "b": 0.1})
    for name in "ab":
        (root / "images" / f"{name}.png").write_bytes(b"")
    with pytest.raises(UserError, match="No usable image is left"):
        index_dataset(root, skip_bad=True)


def test_single_source(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a_1": 0.1, "a_2": 0.1})
    with pytest.raises(UserError, match=r"set: the data set has only one source \(a\).*split\.csv"):
        index_dataset(root, group_pattern="^(.)_")


def test_same_file_in_two_splits_is_noted(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(TEN)
    before = _splits(index_dataset(root))
    val = next(name for name, split in before.items() if split == "val")
    train = next(name for name, split in before.items() if split == "train")
    shutil.copy(root / "images" / f"{val}.png", root / "images" / f"{train}.png")
    index = index_dataset(root)
    assert _splits(index) == before
    assert any(note.startswith("leak:") and val in note and train in note for note in index.notes)


def test_fingerprint(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    root = make_dataset(TEN)
    print_ = index_dataset(root).fingerprint()
    assert json.loads(json.dumps(print_)) == print_
    assert print_["splits"]["val"]["images"] == 2
    assert print_["splits"]["train"]["pixels"] == 8 * 24 * 40
    pore = sum(int((np.asarray(Image.open(p)) == 255).sum()) for p in (root / "labels").iterdir())
    assert sum(s["pore_pixels"] for s in print_["splits"].values()) == pore
    assert sum(f["pore_pixels"] for f in print_["files"]) == pore

    copy = tmp_path / "elsewhere"
    shutil.copytree(root, copy)
    assert index_dataset(copy).fingerprint() == print_
    label = np.asarray(Image.open(copy / "labels" / "w0_0.png")).copy()
    label[-1, -1] = 255
    Image.fromarray(label).save(copy / "labels" / "w0_0.png")
    assert index_dataset(copy).fingerprint()["hash"] != print_["hash"]


@pytest.mark.data
def test_real_tiles(shared: Path) -> None:
    index = index_dataset(shared / "nankai", pore_label=2)
    assert {s.source for s in index.select("train")} == {"10", "11"}
    assert {s.source for s in index.select("val")} == {"12", "13", "14"}
    assert len(index.samples) == 53
    assert index.samples[0].shape == (343, 398)
    total = sum(s.pore_pixels for s in index.samples) / sum(s.pixels for s in index.samples)
    assert total == pytest.approx(0.11, abs=0.01)  # as its description says
    with pytest.raises(UserError, match=r"more than two values: 0 .* 1 .* 2 .*--pore_label"):
        index_dataset(shared / "nankai")


@pytest.mark.data
def test_the_published_layout(shared: Path) -> None:
    index = index_dataset(shared / "vlse")
    assert len(index.samples) == 3
    assert index.pore_label == 255
    assert all(s.prompt and s.prompt.startswith("A rock core microscopy image") for s in index.samples)
    assert all(0.001 <= s.porosity <= 0.03 for s in index.samples)


def test_a_single_source_can_be_indexed_undivided(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"w0_1": 0.1, "w0_2": 0.2})
    with pytest.raises(UserError):
        index_dataset(root, group_pattern=r"^w(\d)")
    index = index_dataset(root, group_pattern=r"^w(\d)", divide=False)
    assert _splits(index) == {"w0_1": "test", "w0_2": "test"}
    assert {sample.source for sample in index.samples} == {"0"}


def test_labels_without_pore_are_noted(make_dataset: Callable[..., Path]) -> None:
    index = index_dataset(make_dataset({"a": 0.2, "b": 0.0, "c": 0.1}))
    assert "1 of 3 label(s) hold no pore (value 255): b.png" in index.notes
