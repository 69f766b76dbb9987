from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.data import index_dataset
from pipeline.data.folds import k_folds, leave_out_folds, source_sizes
from pipeline.data.split_file import write_split_csv
from pipeline.data.splits import SourceSize
from pipeline.errors import UserError

SOURCES = {f"s{i:02}": SourceSize(1000 + 37 * (i % 5), (40 * (i + 1),)) for i in range(15)}


@pytest.mark.parametrize("validation", [0, 0.2])
def test_every_source_is_tested_once_and_never_trained_on_there(validation):
    folds = k_folds(SOURCES, 5, validation)
    assert sorted(source for fold in folds for source in fold.tested) == sorted(SOURCES)
    for fold in folds:
        assert set(fold.split_of) == set(SOURCES)
        held_out = {source for source, split in fold.split_of.items() if split == ("test" if validation else "val")}
        assert held_out == set(fold.tested)
        assert set(fold.split_of.values()) == ({"train", "val", "test"} if validation else {"train", "val"})
    assert k_folds(SOURCES, 5, validation) == folds
    assert k_folds(SOURCES, 5, validation, seed=1) != folds


def test_folds_are_alike_in_pixels_and_porosity():
    pixels = sum(size.pixels for size in SOURCES.values())
    porosity = sum(size.phase_pixels[0] for size in SOURCES.values()) / pixels
    for fold in k_folds(SOURCES, 5):
        members = [SOURCES[source] for source in fold.tested]
        own = sum(size.pixels for size in members)
        assert own == pytest.approx(pixels / 5, rel=0.15)
        # in the order of porosity, three neighbours would have 0.25 to 1.75 of the mean
        assert sum(size.phase_pixels[0] for size in members) / own == pytest.approx(porosity, rel=0.25)


def test_each_source_alone_or_the_named_ones():
    assert [fold.tested for fold in leave_out_folds(SOURCES)] == [(name,) for name in sorted(SOURCES)]
    first, second = leave_out_folds(SOURCES, ["s03", "s11"])
    assert [source for source, split in first.split_of.items() if split == "test"] == ["s03"]
    assert (first.name, second.name) == ("s03", "s11")
    awkward = {"a b": SourceSize(1, (0,)), "a/b": SourceSize(1, (0,)), "c": SourceSize(1, (0,))}
    assert [fold.name for fold in leave_out_folds(awkward)] == ["a_b_1", "a_b_2", "c_3"]


def test_too_few_sources_are_told():
    two = dict(list(SOURCES.items())[:2])
    with pytest.raises(UserError, match="5 folds need at least 5 sources, but there are 2: s00, s01"):
        k_folds(two, 5)
    with pytest.raises(UserError, match=r"only s01 is left.*`validation: 0`"):
        leave_out_folds(two)
    assert leave_out_folds(two, validation=0)[0].split_of == {"s00": "val", "s01": "train"}
    with pytest.raises(UserError, match="no source is left for training"):
        leave_out_folds({"s00": SOURCES["s00"]}, validation=0)
    with pytest.raises(UserError, match="unknown source s99; choose from s00, s01"):
        leave_out_folds(two, ["s99"])


def test_a_fold_is_read_back_from_its_file(make_dataset: Callable[..., Path], tmp_path: Path):
    root = make_dataset({f"w{i}_{j}": 0.05 * (i + 1) for i in range(4) for j in range(2)})
    index = index_dataset(root, group_pattern=r"^(w\d)_", divide=False)
    sizes = source_sizes(index)
    assert sizes["w1"] == SourceSize(2 * 24 * 40, (sum(s.pore_pixels for s in index.samples if s.source == "w1"),))
    (fold,) = leave_out_folds(sizes, ["w1"])
    divided = fold.divide(index)
    assert {sample.name for sample in divided.select("test")} == {"w1_0", "w1_1"}
    write_split_csv(tmp_path / "fold.csv", ((s.name, s.source, s.split) for s in divided.samples))
    again = index_dataset(root, split_csv=tmp_path / "fold.csv")
    assert again.samples == divided.samples
    assert again.fingerprint() == divided.fingerprint()
    with pytest.raises(UserError, match=r"--split_csv .*none.csv: no such"):
        index_dataset(root, split_csv=tmp_path / "none.csv")
