from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from pipeline.data import index_dataset, index_datasets
from pipeline.data.fingerprints import hash_of
from pipeline.errors import UserError
from pipeline.experiments.experiment import prepare_folds
from pipeline.experiments.plan import FoldPlan
from pipeline.synthetic import write_dataset


@pytest.fixture(scope="module")
def rock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "rock"
    write_dataset(root, 5, shape=(64, 64), seed=0, val=1, test=0)
    return root


def test_each_fold_is_written_with_its_sources_and_fingerprint(tmp_path, rock):
    folds = prepare_folds(FoldPlan("k", 2), {"dataset_dir": str(rock), "max_epochs": 3}, tmp_path)
    told = json.loads((tmp_path / "folds.json").read_text())["divisions"]
    assert [fold.name for fold in folds] == [part["name"] for part in told] == ["1", "2"]
    assert {name for part in told for name in part["tested"]} == {sample.name for sample in index_dataset(rock).samples}
    for fold, part in zip(folds, told, strict=True):
        index = index_dataset(rock, split_csv=fold.split_csv)
        assert sorted({sample.source for sample in index.select("test")}) == sorted(part["tested"])
        assert index.fingerprint()["hash"] == fold.fingerprint == part["data_fingerprint"]
        assert fold.evaluated == "test"
    assert prepare_folds(FoldPlan("k", 2), {"dataset_dir": str(rock)}, tmp_path) == folds


def test_without_folds_the_split_is_the_data_sets_own(tmp_path, rock):
    (fold,) = prepare_folds(FoldPlan(), {"dataset_dir": str(rock)}, tmp_path)
    assert (fold.name, fold.split_csv, fold.evaluated) == ("", None, "val")
    assert fold.fingerprint == index_dataset(rock).fingerprint()["hash"]
    assert not (tmp_path / "folds").exists()


def test_several_data_sets_keep_their_own_splits_and_have_no_folds(tmp_path, rock):
    write_dataset(tmp_path / "other", 3, shape=(64, 64), seed=1, val=1, test=0)
    both = {"dataset_dir": [str(rock), str(tmp_path / "other")]}
    (fold,) = prepare_folds(FoldPlan(), both, tmp_path / "out")
    assert fold.fingerprint == index_datasets(both["dataset_dir"]).fingerprint()["hash"]
    told = json.loads((tmp_path / "out" / "folds.json").read_text())["divisions"]
    assert sum(map(len, told[0]["sources"].values())) == 8
    with pytest.raises(UserError, match=r"rock.*other.*--folds split"):
        prepare_folds(FoldPlan("k", 2), both, tmp_path / "folds")


def test_validation_on_the_tested_images_is_told(tmp_path, rock, caplog):
    name = index_dataset(rock).samples[0].source
    plan = FoldPlan("leave_out", sources=(name,), validation=0.0)
    with caplog.at_level(logging.WARNING, "vlsenet"):
        (fold,) = prepare_folds(plan, {"dataset_dir": str(rock)}, tmp_path)
    assert fold.evaluated == "val"
    assert "flatters all variants" in caplog.text


def test_sources_that_are_not_there_and_damaged_files_are_told(tmp_path, rock):
    with pytest.raises(UserError, match=r"rock: folds: unknown source 99; choose from"):
        prepare_folds(FoldPlan("leave_out", sources=("99",)), {"dataset_dir": str(rock)}, tmp_path)
    (tmp_path / "folds.json").write_text("{")
    with pytest.raises(UserError, match=r"folds\.json can't be read"):
        prepare_folds(FoldPlan(), {"dataset_dir": str(rock)}, tmp_path)


def test_sentences_are_a_part_of_the_data_where_they_are_asked(tmp_path: Path, rock: Path) -> None:
    data, out = tmp_path / "rock", tmp_path / "out"
    shutil.copytree(rock, data)
    (data / "text").mkdir()
    name = index_dataset(data).samples[0].name

    def again(sentences: bool) -> None:
        prepare_folds(FoldPlan("k", 2), {"dataset_dir": str(data)}, out, sentences)

    again(False)
    (data / "text" / f"{name}.txt").write_text("thin pores")
    again(False)
    again(True)
    (data / "text" / f"{name}.txt").write_text("large pores")
    with pytest.raises(
        UserError, match=rf"out was started with other images or labels \(sentence of {name}; see .*json\)"
    ):
        again(True)
    again(False)
    (label,) = (data / "labels").glob(f"{name}.*")
    label.write_bytes(next(file for file in (data / "labels").iterdir() if file.stem != name).read_bytes())
    with pytest.raises(UserError, match=rf"\(label of {name}; see"):
        again(False)


def test_an_experiment_of_0_2_0_goes_on(tmp_path: Path, rock: Path) -> None:
    """It kept no more than a hash of the data, in which there were sentences that nobody asked, too."""
    data, out = tmp_path / "rock", tmp_path / "out"
    shutil.copytree(rock, data)
    (data / "text").mkdir()
    (data / "text" / f"{index_dataset(data).samples[0].name}.txt").write_text("thin pores")
    prepare_folds(FoldPlan("k", 2), {"dataset_dir": str(data)}, out)
    content = json.loads((out / "folds.json").read_text())
    content["data"] = hash_of(content["data"], sentences=True)
    for part in content["divisions"]:
        part["data_fingerprint"] = "with sentences"
    (out / "folds.json").write_text(json.dumps(content))
    prepare_folds(FoldPlan("k", 2), {"dataset_dir": str(data)}, out)
    content["data"] = "another"
    (out / "folds.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"other images or labels \(see"):
        prepare_folds(FoldPlan("k", 2), {"dataset_dir": str(data)}, out)


@pytest.mark.parametrize("plan", [FoldPlan("k", 2), FoldPlan("leave_out")])
def test_parts_of_one_micrograph_are_no_folds(tmp_path: Path, plan: FoldPlan) -> None:
    """It is cut into training and validation, which an experiment compares variants on."""
    write_dataset(tmp_path / "one", 1, shape=(512, 512), seed=0, val=0, test=0)
    (tmp_path / "one" / "split.csv").unlink()
    with pytest.raises(UserError, match=r"all images are of one micrograph \(\w+\).* give --folds split"):
        prepare_folds(plan, {"dataset_dir": str(tmp_path / "one")}, tmp_path / "out")
    (fold,) = prepare_folds(FoldPlan(), {"dataset_dir": str(tmp_path / "one")}, tmp_path / "out")
    assert fold.split_csv is None
