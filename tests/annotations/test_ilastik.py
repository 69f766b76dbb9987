"""Projects and exports of ilastik, as it writes them, to labels."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.annotations.ilastik import read_ilastik
from pipeline.cli.main import main
from pipeline.errors import MISTAKE, SUCCESS
from pipeline.images import read_label

h5py = pytest.importorskip("h5py", reason="needs h5py, of the extra ilastik")

H, W = 40, 60


def tags(axes: str) -> str:
    """The JSON that vigra writes for axes."""
    return json.dumps({"axes": [{"key": axis, "typeFlags": 2, "resolution": 0, "description": ""} for axis in axes]})


@pytest.fixture
def rock(tmp_path: Path) -> Path:
    (tmp_path / "rock" / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in "ab":
        pixels = random.integers(0, 255, (H, W), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "rock" / "images" / f"{name}.tif")
    return tmp_path / "rock"


def truth() -> np.ndarray:
    """Strokes of pore (1) and of background (2)."""
    label = np.zeros((H, W), np.uint8)
    label[12, 10:50], label[30:33, 5:20] = 1, 2
    return label


def project(folder: Path, axes: str = "yxc", noted: bool = True, first_slice: int = 0) -> Path:
    """One with strokes in blocks on the second of its two images."""
    path = folder / "strokes.ilp"
    lengths = {"y": H, "x": W, "c": 1, "z": 5}
    with h5py.File(path, "w") as file:
        for number, name in enumerate(("a.tif", "../exported/b.h5/data")):
            image = file.create_group(f"Input Data/infos/lane{number:04d}/Raw Data")
            image["filePath"], image["axistags"] = name, tags(axes)
            image["shape"] = np.array([lengths[axis] for axis in axes])
        own = file.create_group("PixelClassification")
        own["LabelNames"] = np.array([b"pore", b"background"])
        own.create_group("LabelSets/labels000")
        strokes = own.create_group("LabelSets/labels001")
        starts = [(0, 0), (0, 32), (25, 0)]
        for number, (top, left) in enumerate(starts):
            part = truth()[top : top + 25, left : left + 32]
            spans = {"y": (top, top + part.shape[0]), "x": (left, left + part.shape[1]), "c": (0, 1)}
            spans["z"] = (first_slice, first_slice + 1)
            block = part if axes.index("y") < axes.index("x") else part.T
            for place, axis in enumerate(axes):
                block = block if axis in "yx" else np.expand_dims(block, place)
            strokes[f"block{number:04d}"] = block
            where = ",".join(f"{begin}:{end}" for begin, end in (spans[axis] for axis in axes))
            strokes[f"block{number:04d}"].attrs["blockSlice"] = f"[{where}]".encode()
            if noted:
                strokes[f"block{number:04d}"].attrs["axistags"] = tags(axes)
    return path


@pytest.mark.parametrize(("axes", "noted"), [("yxc", True), ("yxc", False), ("xyc", False), ("zyxc", True)])
def test_strokes_of_a_project(rock: Path, axes: str, noted: bool) -> None:
    assert main(["import-labels", str(rock), str(project(rock.parent, axes, noted))]) == SUCCESS
    assert [path.name for path in (rock / "labels").iterdir()] == ["b.png"]  # nothing was painted on the other one
    label = read_label(rock / "labels" / "b.png")
    meaning = dict(line.split(",")[:2][::-1] for line in (rock / "phases.csv").read_text().split()[1:])
    expected = np.array([meaning["unlabelled"], meaning["pore"], meaning["rest"]], int)[truth()]
    np.testing.assert_array_equal(label, expected)


def test_a_project_of_a_stack_is_refused(rock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project(rock.parent, "zyxc", first_slice=3)
    assert main(["import-labels", str(rock), str(path)]) == MISTAKE
    assert "it is of a stack" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["yxc", "zyx", "yx without tags", "npy"])
def test_exported_labels(rock: Path, kind: str) -> None:
    values = {"zyx": truth()[None], "yx without tags": truth()}.get(kind, truth()[..., None])
    path = rock.parent / ("a_Simple Segmentation.npy" if kind == "npy" else "a_Simple Segmentation.h5")
    if kind == "npy":
        np.save(path, values)
    else:
        with h5py.File(path, "w") as file:
            file["exported_data"] = values
            if "without" not in kind:
                file["exported_data"].attrs["axistags"] = tags(kind)
    assert main(["import-labels", str(rock), str(path), "--phases", "pore=1, rest=2, unlabelled=0"]) == SUCCESS
    label = read_label(rock / "labels" / "a.png")
    assert (label == label[12, 10]).sum() == (truth() == 1).sum()
    assert (label == label[31, 10]).sum() == (truth() == 2).sum()


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda file: file.create_dataset("exported_data", data=np.zeros((H, W, 2), "f4")), "float32 values"),
        (lambda file: file.create_dataset("exported_data", data=np.zeros((H, W, 2), "u1")), "40x60x2 values"),
        (lambda file: file.create_group("volume"), "it holds no exported_data"),
    ],
)
def test_what_is_no_label_image(rock: Path, write, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = rock.parent / "a.h5"
    with h5py.File(path, "w") as file:
        write(file)
    assert main(["import-labels", str(rock), str(path)]) == MISTAKE
    assert told in capsys.readouterr().err


def test_a_damaged_project(rock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rock.parent / "strokes.ilp").write_bytes(b"something")
    assert main(["import-labels", str(rock), str(rock.parent / "strokes.ilp")]) == MISTAKE
    error = capsys.readouterr().err
    assert "strokes.ilp: it can't be read" in error
    assert error.count("\n") == 1


def test_without_h5py_the_export_is_named(rock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project(rock.parent)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(Exception, match=r"pip install 'vlsenet\[ilastik\]'; or in ilastik, export the labels as TIFF"):
        read_ilastik(path)
