from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipeline.cli.main import main
from pipeline.data import index_dataset
from pipeline.errors import MISTAKE, UserError


def prepare(*arguments: object) -> int:
    return main(["prepare", *map(str, arguments)])


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Eight wells of two tiles, of rising porosity."""
    root = tmp_path / "set"
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for i in range(16):
        pixels = gaussian_filter(rng.random((96, 112)), 1)
        threshold = np.quantile(pixels, 0.03 * (i // 2 + 1))
        name = f"w{i // 2}_{i % 2}.png"
        grey = (255 * (pixels - pixels.min()) / np.ptp(pixels)).astype(np.uint8)
        Image.fromarray(grey).save(root / "images" / name)
        Image.fromarray(np.where(pixels < threshold, 2, 0).astype(np.uint8)).save(root / "labels" / name)
    return root


def _rows(root: Path) -> list[dict[str, str]]:
    with open(root / "split.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_writes_a_split_by_source(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(dataset, "--group_pattern", "^(w.)_", "--val", 0.25, "--test", 0.25) == 0
    rows = _rows(dataset)
    assert len(rows) == 16
    assert all(row["source"] == row["name"][:2] for row in rows)
    of_split = {split: {r["source"] for r in rows if r["split"] == split} for split in ("train", "val", "test")}
    assert [len(of_split[s]) for s in ("train", "val", "test")] == [4, 2, 2]
    assert set.union(*of_split.values()) == {f"w{i}" for i in range(8)}
    out = capsys.readouterr().out
    assert "no leaks" in out
    assert [line.split()[:3] for line in out.splitlines() if line.startswith(("train", "val", "test"))] == [
        ["train", "4", "8"],
        ["val", "2", "4"],
        ["test", "2", "4"],
    ]
    assert not [p for p in dataset.iterdir() if p.name.startswith(".")]  # no temporary file is left


def test_it_refuses_to_overwrite(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset / "split.csv").write_text("mine")
    assert prepare(dataset) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "--overwrite" in captured.err
    assert (dataset / "split.csv").read_text() == "mine"
    assert prepare(dataset, "--overwrite") == 0
    assert len(_rows(dataset)) == 16


def test_seeds(dataset: Path) -> None:
    written = {}
    for seed in (0, 0, 1, 2, 3):
        prepare(dataset, "--overwrite", "--seed", str(seed))
        text = (dataset / "split.csv").read_text()
        assert written.setdefault(seed, text) == text
    assert len(set(written.values())) > 1


def test_check_reports_leaks_and_writes_nothing(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(dataset, "--check") == 1
    assert "no such file to check" in capsys.readouterr().err
    assert prepare(dataset) == 0
    rows = _rows(dataset)
    train = next(row["name"] for row in rows if row["split"] == "train")
    val = next(row["name"] for row in rows if row["split"] == "val")
    shutil.copy(dataset / "images" / f"{train}.png", dataset / "images" / f"{val}.png")
    before = (dataset / "split.csv").read_bytes()
    capsys.readouterr()
    assert prepare(dataset, "--check") == 1
    out = capsys.readouterr().out
    assert "1 leak(s)" in out
    assert train in out
    assert "are the same image" in out
    assert (dataset / "split.csv").read_bytes() == before


def test_check_needs_no_pore_label(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    label = np.asarray(Image.open(dataset / "labels" / "w0_0.png")).copy()
    label[:5] = 1
    Image.fromarray(label).save(dataset / "labels" / "w0_0.png")
    assert prepare(dataset) == 1
    assert prepare(dataset, "--pore_label", "2") == 0
    out = capsys.readouterr().out
    assert "porosity" in out
    # tiles of a micrograph, which the command line doesn't say
    assert "no leaks" in out
    assert "not found this way, and their names look like parts of 8 micrographs" in out
    assert prepare(dataset, "--check") == 0
    assert "porosity" in capsys.readouterr().out  # the label is remembered
    split = pd.read_csv(dataset / "split.csv")
    split[["name", "source", "split"]].to_csv(dataset / "split.csv", index=False)
    assert prepare(dataset, "--check") == 0
    out = capsys.readouterr().out
    assert "porosity" not in out
    assert "val" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--val", "0"], "--val"),
        (["--val", "0.6", "--test", "0.4"], "their sum below 1"),
        (["--pore_label", "7"], "--pore_label 7 does not occur"),
        (["--group_pattern", "(x"], "not a regular expression"),
        (["--group_pattern", "^(w)"], "only one source (w)"),
    ],
)
def test_mistakes(dataset: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    assert prepare(dataset, *options) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (dataset / "split.csv").exists()


def test_skip_bad_lists_what_it_skips(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset / "images" / "w0_0.png").write_bytes(b"")
    assert prepare(dataset) == 1
    assert prepare(dataset, "--skip_bad") == 0
    assert "skipped: images/w0_0.png: the file is empty" in capsys.readouterr().out
    assert len(_rows(dataset)) == 15


def test_missing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(tmp_path / "none") == 1
    assert "no such folder" in capsys.readouterr().err


def test_how_the_data_set_is_read_is_told_once(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`train` and the others know the value of pore, and the info bar, that `prepare` was given."""
    for path in (dataset / "labels").iterdir():
        label = np.array(Image.open(path))
        label[0] = 7  # a third value
        Image.fromarray(label).save(path)
    assert prepare(dataset, "--pore_label", 2, "--info_bar", 8) == 0
    index = index_dataset(dataset)
    assert index.pore_label == 2
    assert {sample.shape for sample in index.samples} == {(88, 112)}
    assert index_dataset(dataset, pore_label=7).pore_label == 7  # what is given now counts more
    assert prepare(dataset, "--check") == 0
    rows = _rows(dataset)
    rows[0]["pore_label"] = "7"
    with (dataset / "split.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(UserError, match="column pore_label holds 2, 7; give one value"):
        index_dataset(dataset)


@pytest.mark.parametrize(("value", "told"), [(2, "mark every pixel as pore"), (0, "hold no pore")])
@pytest.mark.parametrize("count", [16, 3])
def test_masks_of_one_value_are_named(
    dataset: Path, capsys: pytest.CaptureFixture[str], value: int, told: str, count: int
) -> None:
    for path in sorted((dataset / "labels").iterdir())[:count]:
        Image.fromarray(np.full((96, 112), value, np.uint8)).save(path)
    if count == 16 and value == 0:
        assert prepare(dataset, "--pore_label", 2) == MISTAKE
        return
    prepare(dataset, "--pore_label", 2)
    line = next(line for line in capsys.readouterr().out.splitlines() if told in line)
    assert f"{count} of 16 label(s) {told} (value 2): w0_0.png" in line
    assert ("check how the masks were saved" in line) == (count == 16)


def test_what_is_said_of_the_labels_is_remembered(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted((dataset / "labels").iterdir()):
        label = np.asarray(Image.open(path)).copy()
        label[:8], label[8:16, :40] = 255, 1
        Image.fromarray(label).save(path)
    words = ("--phases", "pore=2, silt grain=1", "--unlabelled", 255)
    assert prepare(dataset, *words) == 0
    assert (dataset / "phases.csv").read_text() == "value,phase\n2,pore\n1,silt grain\n255,unlabelled\n"
    assert (dataset / "split.csv").read_text().startswith("name,source,split\n")
    out = capsys.readouterr().out
    assert f"wrote {dataset / 'split.csv'} and {dataset / 'phases.csv'}" in out
    head, *rows = out[out.index("sources  images") :].splitlines()[:4]
    assert head.split("  ")[-1].strip() == "silt grain"
    index = index_dataset(dataset)
    assert index.values[0].names == ("pore", "silt grain")
    train = index.select("train")
    silt = sum(s.phase_pixels["silt grain"] for s in train) / sum(s.labelled for s in train)
    assert f"{silt:.2%}" in next(row for row in rows if row.startswith("train"))
    assert f"{88 / 96:.2%}" in next(row for row in rows if row.startswith("train"))

    assert prepare(dataset, "--pore_label", 2, "--overwrite") == 0  # the file would decide otherwise
    assert (dataset / "phases.csv").read_text() == "value,phase\n2,pore\n255,unlabelled\n"
    (dataset / "split.csv").unlink()
    capsys.readouterr()
    assert prepare(dataset, *words) == MISTAKE
    assert "phases.csv exists already; leave out --phases, or --overwrite replaces the file" in capsys.readouterr().err


def test_a_single_micrograph_is_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for folder, pixels in (
        ("images", rng.integers(0, 256, (256, 320), np.uint8)),
        ("labels", np.kron(rng.integers(0, 2, (32, 40), np.uint8), np.ones((8, 8), np.uint8))),
    ):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "only.png")
    assert prepare(tmp_path) == 0
    assert "validated on the same micrograph" in capsys.readouterr().out
    rows = _rows(tmp_path)
    assert [(row["name"], row["source"], row["split"]) for row in rows] == [
        ("only", "only", "train"),
        ("only", "only", "val"),
    ]
    index = index_dataset(tmp_path)
    assert [",".join(map(str, sample.part)) for sample in index.samples] == [row["part"] for row in rows]
    assert prepare(tmp_path, "--check") == 0
