"""Data sets whose labels hold several phases, and pixels about which nothing is known."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data import DatasetIndex, index_dataset, split_totals
from pipeline.data.phases_file import read_phases_csv, write_phases_csv
from pipeline.errors import UserError
from pipeline.phases import UNLABELLED, LabelValues, Phase

Write = Callable[..., Path]
ROCK = "value,phase,prompt\n2,pore,\n1,silt grain,a grain of silt\n255,unlabelled,\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a data set of random images and labels with these values; returns its folder."""

    def write(values: tuple[int, ...] = (0, 1, 2, 255), count: int = 5, phases: str | None = ROCK) -> Path:
        root, rng = tmp_path / "rock", np.random.default_rng(0)
        for folder in ("images", "labels"):
            (root / folder).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(1, 256, (30, 40), np.uint8)).save(root / "images" / f"{number}.png")
            Image.fromarray(rng.choice(np.array(values, np.uint8), (30, 40))).save(root / "labels" / f"{number}.png")
        if phases is not None:
            (root / "phases.csv").write_text(phases)
        return root

    return write


def _label(root: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(root / "labels" / f"{name}.png"))


def test_areas_are_shares_of_the_labelled_pixels(write: Write):
    root = write()
    index = index_dataset(root)
    assert index.phases == (Phase.of("pore"), Phase("silt grain", "a grain of silt"))
    for sample in index.samples:
        label = _label(root, sample.name)
        labelled = label != 255
        assert sample.labelled == labelled.sum()
        assert sample.areas == {"pore": (label[labelled] == 2).mean(), "silt grain": (label[labelled] == 1).mean()}
        assert sample.porosity == sample.areas["pore"]
        codes = sample.read_codes(["silt grain", "crack", "pore"])
        assert np.array_equal(codes, np.choose(np.minimum(label, 3), [0, 1, 3, UNLABELLED]))
    val = split_totals(index.samples)["val"]
    labels = np.concatenate([_label(root, sample.name).ravel() for sample in index.select("val")])
    labels = labels[labels != 255]
    assert val["labelled"] == labels.size
    assert val["areas"]["silt grain"] == pytest.approx((labels == 1).mean())
    assert val["porosity"] == pytest.approx((labels == 2).mean())


def test_options_decide_before_the_file(write: Write):
    root = write()
    (one,) = index_dataset(root, pore_label=1).values
    assert one == LabelValues((Phase.of("pore"),), ((1,),), (255,))  # what is not known stays so
    (named,) = index_dataset(root, phases="silt grain=1+2").values
    assert named == LabelValues((Phase("silt grain", "a grain of silt"),), ((1, 2),), (255,))
    assert index_dataset(root, unlabelled="none").values[0].unlabelled == ()
    assert index_dataset(root, phases="pore=255").values[0].unlabelled == ()


def test_mistakes_name_the_value_and_what_to_do(write: Write):
    root = write()
    with pytest.raises(UserError, match=r"--phases dust=7: the value 7 of dust does not occur; the labels hold 0 \("):
        index_dataset(root, phases="dust=7")
    with pytest.raises(UserError, match="--pore_label 2: give one of them; --pore_label K is --phases pore=K"):
        index_dataset(root, phases="silt=1", pore_label=2)
    with pytest.raises(UserError, match="the label value 2 is both a phase and unlabelled"):
        index_dataset(root, unlabelled=2)
    with pytest.raises(UserError, match="no label has a labelled pixel"):
        index_dataset(root, pore_label=1, unlabelled="0,1,2,255")


def test_unnamed_values_and_absent_phases_are_noted(write: Write):
    notes = index_dataset(write(values=(0, 1, 9), phases="value,phase\n1,silt\n2,pore\n")).notes
    assert "no label holds the phase pore" in notes
    assert any("none of the phases: 9 (33" in note and "--unlabelled" in note for note in notes)


def test_unlabelled_pixels_leave_a_binary_mask_binary(write: Write):
    root = write(values=(0, 1, 255), phases=None)
    with pytest.raises(UserError, match="more than two values"):
        index_dataset(root)
    index = index_dataset(root, unlabelled=255)
    assert index.values == (LabelValues((Phase.of("pore"),), ((1,),), (255,)),)
    assert index.pore_label == 1


def test_an_image_without_a_label_is_left_out(write: Write):
    root = write()
    Image.fromarray(np.full((30, 40), 255, np.uint8)).save(root / "labels" / "3.png")
    index = index_dataset(root)
    assert [sample.name for sample in index.samples] == ["0", "1", "2", "4"]
    assert "without a labelled pixel, and left out: 3.png" in index.notes


def test_what_a_model_was_trained_with_counts_where_nothing_is_said(write: Write):
    root = write(values=(0, 1, 2), phases=None)
    usual = LabelValues((Phase.of("pore"), Phase.of("silt grain")), ((2,), (1,)))
    assert index_dataset(root, usual=usual).values == (usual,)
    assert index_dataset(root, usual=usual, pore_label=1).values == (LabelValues.of_pore(1),)
    absent = LabelValues((Phase.of("pore"), Phase.of("silt grain")), ((2,), (7,)))
    with pytest.raises(UserError, match="more than two values"):
        index_dataset(root, usual=absent)


def test_the_meaning_of_values_is_part_of_the_fingerprint(write: Write):
    root = write()
    hashes = {
        index_dataset(root, **options).fingerprint()["hash"]
        for options in ({}, {"pore_label": 2}, {"unlabelled": "none"}, {"phases": "silt grain=2, pore=1"})
    }
    assert len(hashes) == 4


def test_one_phase_pore_has_the_fingerprint_without_phases(write: Write):
    """Trainings go on with data sets to which a `phases.csv` was added that says the same."""
    root = write(values=(0, 1, 2), phases=None)
    before = index_dataset(root, pore_label=2).fingerprint()
    assert before.keys() == {"hash", "pore_label", "splits", "files"}
    (root / "phases.csv").write_text("value,phase\n2,pore\n0,rock\n")
    assert index_dataset(root).fingerprint() == before
    assert index_dataset(root, phases="pore=2").fingerprint() == before


def test_the_file_is_read_as_it_was_written(tmp_path: Path):
    path = tmp_path / "phases.csv"
    for values in (
        LabelValues((Phase("pore", "dark, thin pores"), Phase.of("silt")), ((2, 3), (1,)), (255,), (0,)),
        LabelValues((Phase.of("pore"),), ((0,),)),
    ):
        write_phases_csv(path, values)
        assert read_phases_csv(path) == values
    assert path.read_text() == "value,phase\n0,pore\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("label;phase\n1;pore\n", "must name the columns value,phase; value is missing"),
        ("value,phase\none,pore\n", "line 2: 'one' is no label value"),
        ("value,phase\n1,pore\n1,silt\n", "value 1 is given twice"),
        ("value,phase\n1,\n", "value 1 has no phase"),
        ("value,phase\n0,rest\n", "it names no phase"),
        ("", "must name the columns"),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, text: str, said: str):
    path = tmp_path / "phases.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_phases_csv(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.data
@pytest.mark.parametrize("name", ["dtseg", "ebc1", "gsc_shale", "super1", "super2", "super4", "uhcs"])
def test_areas_of_real_labels(shared: Path, name: str):
    root = shared / "phases" / name
    with (root / "phases.csv").open() as file:
        values = {row["phase"]: int(row["value"]) for row in csv.DictReader(file)}
    index: DatasetIndex = index_dataset(root)
    assert [phase.name for phase in index.phases] == list(values)
    for sample in index.samples[::5]:
        label = np.asarray(Image.open(sample.label))
        assert sample.areas == {phase: (label == value).mean() for phase, value in values.items()}
