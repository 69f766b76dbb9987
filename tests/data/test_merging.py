"""Several data sets as one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import areas_of, index_dataset, index_datasets
from pipeline.data.leaks import search_leaks
from pipeline.errors import UserError
from pipeline.phases import LabelValues, Phase

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a data set of random images and labels; returns its folder."""

    def write(name: str, values: tuple[int, ...], phases: str | None, stems: str = "abc") -> Path:
        root, rng = tmp_path / name, np.random.default_rng(list(name.encode()))
        for folder in ("images", "labels"):
            (root / folder).mkdir(parents=True)
        for stem in stems:
            Image.fromarray(rng.integers(1, 256, (30, 40), np.uint8)).save(root / "images" / f"{stem}.png")
            Image.fromarray(rng.choice(np.array(values, np.uint8), (30, 40))).save(root / "labels" / f"{stem}.png")
        if phases is not None:
            (root / "phases.csv").write_text(f"value,phase\n{phases}")
        return root

    return write


def test_names_that_collide_get_the_set_in_front(write: Write):
    first = write("shale", (0, 1), "1,pore\n", stems="abc")
    second = write("steel", (0, 1, 2), "1,carbide\n2,pore\n", stems="cde")
    index = index_datasets([first, second])
    assert [sample.name for sample in index.samples] == ["a", "b", "shale_c", "steel_c", "d", "e"]
    assert [sample.source for sample in index.samples] == [sample.name for sample in index.samples]
    assert [sample.dataset for sample in index.samples] == ["shale"] * 3 + ["steel"] * 3
    assert [phase.name for phase in index.phases] == ["pore", "carbide"]
    assert index.samples[4].read_codes(["pore", "carbide"]).max() == 2
    both = areas_of(index.samples)
    steel = index.samples[3:]
    assert both["carbide"] == pytest.approx(sum(s.phase_pixels["carbide"] for s in steel) / (3 * 1200))
    assert both["pore"] == pytest.approx(sum(s.phase_pixels["pore"] for s in index.samples) / (6 * 1200))
    assert all(note.startswith(("shale: ", "steel: ")) for note in index.notes)


def test_one_folder_is_the_data_set_itself(write: Write):
    root = write("shale", (0, 1), None)
    assert index_datasets([root]).fingerprint() == index_dataset(root).fingerprint()


def test_options_are_for_the_sets_that_remember_nothing(write: Write):
    named, silent = write("named", (0, 1), "1,carbide\n"), write("silent", (0, 1, 2), None, stems="xyz")
    index = index_datasets([named, silent], phases="pore=2, silt=1", unlabelled="none")
    assert index.values[0] == LabelValues((Phase.of("carbide"),), ((1,),), (), (0,))
    assert index.values[1].names == ("pore", "silt")
    assert index.pore_label == 2


def test_folders_of_one_name_are_told_apart_by_those_above(write: Write):
    index = index_datasets([write("x/set", (0, 1), None), write("y/set", (0, 1), None)])
    assert {sample.dataset for sample in index.samples} == {"x_set", "y_set"}
    assert index.samples[0].name == "x_set_a"


def test_the_fingerprint_knows_the_sets_and_no_path(write: Write, tmp_path: Path):
    first, second = write("a1", (0, 1), "1,pore\n"), write("b1", (0, 1), "1,silt\n", stems="xyz")
    before = index_datasets([first, second]).fingerprint()
    assert index_datasets([second, first]).fingerprint()["hash"] != before["hash"]
    moved = [first.rename(tmp_path / "c1"), second.rename(tmp_path / "d1")]
    assert index_datasets(moved).fingerprint() == before


def test_images_that_two_sets_hold_are_noted_and_found_as_leaks(write: Write):
    first, second = write("one", (0, 1), "1,pore\n", stems="abc"), write("two", (0, 1), "1,silt\n", stems="xyz")
    shutil.copy(first / "images" / "a.png", second / "images" / "y.png")
    for root, stems in ((first, "abc"), (second, "xyz")):
        splits = zip(stems, ("train", "val", "val"), strict=True)
        (root / "split.csv").write_text("name,source,split\n" + "".join(f"{n},{n},{split}\n" for n, split in splits))
    index = index_datasets([first, second])
    assert "1 image(s) are in two data sets, so they count twice: a = y" in index.notes
    assert [(leak.first.name, leak.second.name, leak.copy) for leak in search_leaks(index.samples).leaks] == [
        ("a", "y", True)
    ]


def test_mistakes(write: Write):
    first, second = write("one", (0, 1), "1,Pore\n"), write("two", (0, 1), "1,pore\n")
    with pytest.raises(UserError, match="'Pore' and 'pore' differ in upper and lower case only"):
        index_datasets([first, second])
    with pytest.raises(UserError, match="given twice"):
        index_datasets([first, first / ".." / "one"])
    with pytest.raises(UserError, match="1 for 2 data sets; give one for each"):
        index_datasets([first, second], split_csv=first / "split.csv")
