from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.synthetic import DatasetSettings, SceneSettings, generate, write_dataset
from pipeline.synthetic.dataset import describe_pores

SHAPE = (64, 80)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_layout_truth_and_split(tmp_path):
    seen: list[str] = []
    write_dataset(tmp_path, 10, SHAPE, seed=3, val=2, test=0.3, on_sample=seen.append)
    names = [f"sem_{index:04d}" for index in range(1, 11)]
    assert seen == names
    truth, split = rows(tmp_path / "truth.csv"), rows(tmp_path / "split.csv")
    assert [row["name"] for row in truth] == [row["name"] for row in split] == names
    assert all(row["source"] == row["name"] for row in split)
    assert Counter(row["split"] for row in split) == {"train": 5, "val": 2, "test": 3}
    expected = {f"{folder}/{name}.{end}" for name in names for folder, end in FILES} | {"truth.csv", "split.csv"}
    assert set(digests(tmp_path)) == expected
    for row in truth:
        label = np.asarray(Image.open(tmp_path / "labels" / f"{row['name']}.png"))
        assert set(np.unique(label)) == {0, 255}
        assert float(row["porosity"]) == (label > 0).mean()
        assert 0.049 < float(row["porosity"]) < 0.151


FILES = (("images", "png"), ("labels", "png"))


def test_truth_is_enough_to_make_an_image_again(tmp_path):
    settings = DatasetSettings(orientation_deg=(30, 30), scene=SceneSettings(info_bar=True, noise=0.1))
    write_dataset(tmp_path, 2, SHAPE, settings=settings, val=0, test=0, text=True)
    row = rows(tmp_path / "truth.csv")[1]
    again = generate(SHAPE, int(row["seed"]), SceneSettings(**json.loads(row["settings"])))
    assert again.settings.orientation_deg == 30
    assert again.settings.noise == 0.1
    assert np.array_equal(again.image, np.asarray(Image.open(tmp_path / "images" / "sem_0002.png")))
    assert again.porosity == float(row["porosity"])
    imaged = again.label[: SHAPE[0] - again.bar_rows]
    sentence = (tmp_path / "text" / "sem_0002.txt").read_text(encoding="utf-8")
    assert sentence == describe_pores(imaged, again.settings.pixel_size_nm) + "\n"


def test_labels_of_several_phases_have_names_and_the_same_pores(tmp_path):
    for folder, phases in (("pores", False), ("all", True)):
        write_dataset(tmp_path / folder, 2, (128, 128), val=0, test=0, phases=phases)
    names = {row["phase"]: int(row["value"]) for row in rows(tmp_path / "all" / "phases.csv")}
    assert list(names) == ["pore", "organic matter", "pyrite"]
    for name in ("sem_0001", "sem_0002"):
        pores, every = (
            np.asarray(Image.open(tmp_path / folder / "labels" / f"{name}.png")) for folder in ("pores", "all")
        )
        image = np.asarray(Image.open(tmp_path / "all" / "images" / f"{name}.png")).astype(float)
        assert np.array_equal(every == names["pore"], pores == 255)
        organic, pyrite, rest = (image[every == value].mean() for value in (2, 3, 0))
        assert organic < rest < pyrite
    write_dataset(tmp_path / "all", 2, (128, 128), val=0, test=0, overwrite=True)
    assert not (tmp_path / "all" / "phases.csv").exists()


def test_same_seed_same_bytes_and_neighbouring_seeds_share_nothing(tmp_path):
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_dataset(tmp_path / folder, 3, SHAPE, seed=seed, val=1, test=0)
    one, same, other = (digests(tmp_path / folder) for folder in "abc")
    assert one == same
    images = [{digest for path, digest in found.items() if path.startswith("images")} for found in (one, other)]
    assert len(images[0] | images[1]) == 6


def test_settings_vary_within_their_ranges():
    settings = DatasetSettings(porosity=(0.1, 0.12), anisotropy=(0.5, 0.5))
    drawn = [settings.draw(np.random.default_rng(seed)) for seed in range(20)]
    assert all(0.1 <= scene.porosity <= 0.12 and scene.anisotropy == 0.5 for scene in drawn)
    assert len({scene.porosity for scene in drawn}) == 20
    assert len({scene.organic_fraction for scene in drawn}) == 20


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        write_dataset(tmp_path, 2, SHAPE, val=0, test=0)
    assert digests(tmp_path).keys() == {"notes.txt"}


def test_overwrite_replaces_an_earlier_set_and_nothing_else(tmp_path):
    write_dataset(tmp_path, 4, SHAPE, val=0, test=0, text=True)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "images" / ".sem_0009-0123456789ab.png").write_text("left by a killed run")
    write_dataset(tmp_path, 2, SHAPE, seed=1, val=0, test=0, overwrite=True)
    names = {f"{folder}/sem_000{index}.{end}" for index in (1, 2) for folder, end in FILES}
    assert digests(tmp_path).keys() == names | {"truth.csv", "split.csv", "notes.txt"}


def test_overwrite_does_not_mix_with_images_of_another_origin(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "well_7.png").write_bytes(b"real")
    with pytest.raises(UserError, match=r"well_7\.png was not written by this command"):
        write_dataset(tmp_path, 2, SHAPE, val=0, test=0, overwrite=True)
    assert digests(tmp_path).keys() == {"images/well_7.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count must be at least 1"),
        ({"val": 2, "test": 1}, "leave none of 3 for training"),
        ({"val": 1.5}, "val must be a whole number"),
        ({"test": -1}, "test must be a whole number"),
        ({"seed": -1}, "seed must not be negative"),
        ({"shape": (32, 100)}, "at least 64 pixels"),
    ],
)
def test_wrong_numbers_are_told_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        write_dataset(**({"output_dir": tmp_path / "new", "count": 3, "shape": SHAPE} | arguments))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("porosity", [(0.2, 0.1), (0.1, 0.9), (-0.1, 0.1), (float("nan"), 0.1)])
def test_a_wrong_range_is_told(porosity):
    with pytest.raises(UserError, match="porosity must be a range"):
        DatasetSettings(porosity=porosity)


def test_varied_images_differ_more_than_the_others(tmp_path):
    settings = {}
    for varied in (False, True):
        folder = tmp_path / str(varied)
        write_dataset(folder, 8, SHAPE, settings=DatasetSettings(varied=varied), val=0, test=0)
        settings[varied] = [json.loads(row["settings"]) for row in rows(folder / "truth.csv")]
    for name in ("porosity", "noise", "blur", "pore_length", "organic_fraction"):
        narrow, wide = (np.ptp([one[name] for one in settings[varied]]) for varied in (False, True))
        assert wide > 2 * narrow, name
    assert {one["pixel_size_nm"] for one in settings[True]} == {SceneSettings().pixel_size_nm}
