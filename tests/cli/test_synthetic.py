from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.cli.main import main


def synthetic(*arguments: object) -> int:
    return main(["synthetic", *map(str, arguments)])


def test_it_writes_what_it_is_told(tmp_path):
    out = tmp_path / "set"
    status = synthetic(
        out, "--count", 3, "--size", "80,96", "--porosity", 0.2, "--anisotropy", "0.5,0.6",
        "--orientation", 30, "--pixel_size_nm", 5, "--val", 1, "--test", 1, "--info_bar", "--seed", 9,
    )  # fmt: skip
    assert status == 0
    assert len(list((out / "images").glob("*.png"))) == 3
    label = np.asarray(Image.open(out / "labels" / "sem_0001.png"))
    assert label.shape == (80, 96)
    assert (label[:-12] > 0).mean() == pytest.approx(0.2, abs=1e-3)
    truth = (out / "truth.csv").read_text()
    assert '""orientation_deg"": 30.0' in truth
    assert '""pixel_size_nm"": 5.0' in truth
    assert '""info_bar"": true' in truth
    assert not (out / "text").exists()


def test_sentences_made_from_the_truth_come_only_when_asked_for(tmp_path):
    assert synthetic(tmp_path, "--count", 1, "--size", "64,64", "--val", 0, "--test", 0, "--text") == 0
    assert "of the area" in (tmp_path / "text" / "sem_0001.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--porosity", "0.9"], "porosity must be a range"),
        (["--size", "10,10"], "at least 64 pixels"),
        (["--porosity", "0.1,0.2,0.3"], "--porosity (0.1, 0.2, 0.3): give 2 numbers at most"),
        (["--count", "2", "--val", "2"], "leave none of 2 for training"),
        (["--pixel_size_nm", "0"], "--pixel_size_nm 0.0: give a number"),
    ],
)
def test_mistakes_are_one_line_and_status_1(tmp_path, capsys, arguments, message):
    assert synthetic(tmp_path / "set", *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "10x10"], "--size: invalid"),
        (["--count", "many"], "invalid int value: 'many'"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        synthetic(tmp_path / "set", *arguments)
    assert end.value.code == 2
    error, where = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert where == "see vlsenet synthetic --help"
    assert message in error
    assert not (tmp_path / "set").exists()


def test_a_full_folder_is_replaced_only_when_asked(tmp_path, capsys):
    arguments = [tmp_path, "--count", 1, "--size", "64,64", "--val", 0, "--test", 0]
    assert synthetic(*arguments) == 0
    assert synthetic(*arguments) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert synthetic(*arguments, "--overwrite", "--seed", 1) == 0
