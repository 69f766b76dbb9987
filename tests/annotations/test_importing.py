"""Annotations of other programs, as these write them, to the labels of a data set."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from skimage.draw import disk

from pipeline.annotations.coco import _counts
from pipeline.annotations.imagej import class_of
from pipeline.cli.main import main
from pipeline.errors import MISTAKE
from pipeline.images import read_label
from tests.annotations.drawn_rock import CLAY, HOLE, SQUARE, H, W, imported, labels, square, triangle


def labelme(folder: Path) -> Path:
    png = io.BytesIO()
    Image.new("1", (4, 3), 1).save(png, "PNG")
    mask = base64.b64encode(png.getvalue()).decode()
    shapes = [
        {"label": "Pore", "points": SQUARE, "shape_type": "polygon"},
        {"label": "clay", "points": CLAY, "shape_type": "polygon"},
        {"label": "rest", "points": [[20, 30], [30, 40]], "shape_type": "rectangle"},
        {"label": "pore", "points": [[70, 60], [74, 63]], "shape_type": "mask", "mask": mask},
    ]
    path = folder / "a.json"
    path.write_text(json.dumps({"imagePath": "..\\a.tif", "imageHeight": H, "imageWidth": W, "shapes": shapes}))
    return path


def test_labelme(rock: Path) -> None:
    labelme(rock / "images")
    imported(rock, "--rename", "Pore=pore")  # beside the images
    found = labels(rock)
    mask = square()
    mask[60:63, 70:74] = True
    np.testing.assert_array_equal(found["pore"], mask)
    np.testing.assert_array_equal(found["clay"], triangle())
    np.testing.assert_array_equal(found["rest"], square(hole=False) & ~square())
    assert read_label(rock / "labels" / "a.png")[0, 0] == 0
    assert found["unlabelled"][0, 0]


def test_labelme_kinds_of_shapes(rock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tilted = [[30, 20], [40, 30], [30, 40], [20, 30]]  # LabelMe 6: a rectangle by its four corners

    def write(kind: str, points: list[list[int]]) -> Path:
        path = rock.parent / "a.json"
        path.write_text(json.dumps({"shapes": [{"label": "pore", "points": points, "shape_type": kind}]}))
        return path

    imported(rock, write("oriented_rectangle", tilted), "--background", "rest")
    oriented = labels(rock)["pore"]
    imported(rock, write("polygon", tilted), "--background", "rest", "--overwrite")
    np.testing.assert_array_equal(oriented, labels(rock)["pore"])
    assert 180 <= oriented.sum() <= 220
    capsys.readouterr()
    assert main(["import-labels", str(rock), str(write("spline", tilted)), "--overwrite"]) == MISTAKE
    told = capsys.readouterr().err
    assert "a.json: shapes of type spline (pore) are not read; draw it as a polygon" in told


def test_qupath(rock: Path, tmp_path: Path) -> None:
    def feature(name: str | None, kind: str, coordinates: object) -> dict:
        properties = {"objectType": "annotation", **({"classification": {"name": name}} if name else {})}
        return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}

    features = [
        feature("pore", "Polygon", [[*SQUARE, SQUARE[0]], HOLE]),
        feature("clay", "MultiPolygon", [[CLAY]]),
        feature(None, "LineString", [[5.5, 70.5], [50.5, 70.5]]),
    ]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert main(["import-labels", str(rock), str(path)]) == MISTAKE
    imported(rock, path, "--unnamed", "rest", "--line_width", "3")
    found = labels(rock)
    np.testing.assert_array_equal(found["pore"], square())
    np.testing.assert_array_equal(found["clay"], triangle())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as compressed:  # as QuPath offers
        compressed.write(path, "a.geojson")
    imported(rock, tmp_path / "a.zip", "--unnamed", "rest", "--line_width", "3", "--overwrite")
    np.testing.assert_array_equal(labels(rock)["pore"], found["pore"])
    rows, columns = np.nonzero(found["rest"])
    assert set(rows) == {69, 70, 71}
    assert (columns.min(), columns.max()) in ((4, 51), (5, 50))


def coco(rock: Path, compressed: bool = False) -> dict:
    column_wise = np.concatenate([[0], square().T.ravel(), [2]])
    edges = np.flatnonzero(np.diff(column_wise))
    counts = np.diff(np.concatenate([[0], edges])).tolist()
    return {
        "images": [
            {"id": 7, "file_name": "images/a.tif", "height": H, "width": W},
            {"id": 8, "file_name": "b.tif", "height": H, "width": W},
        ],
        "categories": [{"id": 1, "name": "pore"}, {"id": 2, "name": "clay"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "segmentation": {"size": [H, W], "counts": counts}, "area": 800},
            {"id": 2, "image_id": 7, "category_id": 2, "segmentation": [np.ravel(CLAY).tolist()], "area": 450},
            {"id": 3, "image_id": 8, "category_id": 1, "segmentation": [np.ravel(SQUARE).tolist()], "area": 900},
        ],
    }


def test_coco_of_several_images(rock: Path, tmp_path: Path) -> None:
    (tmp_path / "instances.json").write_text(json.dumps(coco(rock)))
    imported(rock, tmp_path / "instances.json", "--background", "rest")
    np.testing.assert_array_equal(labels(rock)["pore"], square())
    np.testing.assert_array_equal(labels(rock)["clay"], triangle())
    np.testing.assert_array_equal(labels(rock, "b")["pore"], square(hole=False))
    np.testing.assert_array_equal(labels(rock, "b")["rest"], ~square(hole=False))


def test_run_lengths_as_text() -> None:
    """The text is what pycocotools gives for these lengths."""
    assert _counts("53a0U1gn0jNiQO") == [5, 3, 17, 40, 1000, 2, 33]


def test_imagej(rock: Path, tmp_path: Path) -> None:
    roifile = pytest.importorskip("roifile", reason="needs roifile")
    rois = []
    for name, points in (("pore 1", SQUARE), ("clay-002", CLAY)):
        roi = roifile.ImagejRoi.frompoints(np.array(points, np.float32))
        roi.roitype, roi.name = roifile.ROI_TYPE.POLYGON, name
        rois.append(roi)
    roi = roifile.ImagejRoi.frompoints(np.array([[5, 70], [50, 70]], np.float32))
    roi.roitype, roi.name, roi.stroke_width = roifile.ROI_TYPE.FREELINE, "rest", 5
    roifile.roiwrite(tmp_path / "a_RoiSet.zip", [*rois, roi])
    imported(rock, tmp_path / "a_RoiSet.zip")
    found = labels(rock)
    np.testing.assert_array_equal(found["pore"], square(hole=False))
    np.testing.assert_array_equal(found["clay"], triangle())
    assert found["rest"][:, 30].sum() == 5


@pytest.mark.parametrize("program", ["fiji", "labelme", "qupath"])
def test_points_are_not_joined(rock: Path, tmp_path: Path, program: str) -> None:
    points = [[20.5, 70.5], [60.5, 70.5]]
    if program == "fiji":  # the multi-point tool
        roifile = pytest.importorskip("roifile", reason="needs roifile")
        roi = roifile.ImagejRoi.frompoints(np.array(points, np.float32))
        roi.roitype, roi.name = roifile.ROI_TYPE.POINT, "pore"
        path = tmp_path / "a.roi"
        roi.tofile(path)
    elif program == "labelme":
        path = tmp_path / "a.json"
        path.write_text(json.dumps({"shapes": [{"label": "pore", "points": points, "shape_type": "points"}]}))
    else:
        path = tmp_path / "a.geojson"
        geometry = {"type": "MultiPoint", "coordinates": points}
        feature = {"type": "Feature", "geometry": geometry, "properties": {"classification": {"name": "pore"}}}
        path.write_text(json.dumps(feature))
    imported(rock, path, "--line_width", "5", "--background", "rest")
    pore = labels(rock)["pore"]
    assert pore[70, 20]
    assert pore[70, 60]
    assert not pore[:, 30:50].any()


def test_the_class_of_a_roi() -> None:
    names = ("pore 12", "silt grain-3", "0012-0340", "", "pore_v2")
    assert [class_of(name) for name in names] == ["pore", "silt grain", "", "", "pore_v"]


def test_labkit(rock: Path, tmp_path: Path) -> None:
    rows, columns = np.nonzero(square())
    content = {
        "interval": {"min": [0, 0], "max": [W - 1, H - 1], "n": 2},
        "labels": {"pore": np.stack([columns, rows], 1).tolist(), "background": [[0, 0], [1, 0]]},
        "colors": {"pore": "#FF0000"},
    }
    (tmp_path / "a.tif.labeling").write_text(json.dumps(content))
    index = np.zeros((H, W), np.uint8)
    index[triangle()] = 2
    index[0] = 1
    tifffile.imwrite(tmp_path / "b.tif", index)
    (tmp_path / "b.tif.labels").write_text(json.dumps({"labelSets": [[], ["background"], ["pore"]]}))
    imported(rock, tmp_path / "a.tif.labeling", tmp_path / "b.tif")
    np.testing.assert_array_equal(labels(rock)["pore"], square())
    assert labels(rock)["rest"].sum() == 2
    np.testing.assert_array_equal(labels(rock, "b")["pore"], triangle())
    assert labels(rock, "b")["rest"].sum() == W


def test_what_is_there_is_kept_and_its_values_too(rock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rock / "labels").mkdir()
    old = np.zeros((H, W), np.uint8)
    old[disk((40, 40), 9)] = 7
    Image.fromarray(old).save(rock / "labels" / "b.png")
    path = labelme(rock / "images")
    arguments = ["import-labels", str(rock), str(path)]
    assert main(arguments) == MISTAKE
    assert "has labels, but no phases.csv" in capsys.readouterr().err
    (rock / "phases.csv").write_text("value,phase\n7,pore\n")
    assert main(arguments) == MISTAKE
    assert "the phase 'clay' is not one of the data set's (pore)" in capsys.readouterr().err
    imported(rock, path, "--new_phases")
    table = pd.read_csv(rock / "phases.csv").set_index("phase")["value"]
    assert table["pore"] == 7
    assert table["rest"] == 0
    assert table["unlabelled"] not in (0, 7)
    np.testing.assert_array_equal(read_label(rock / "labels" / "b.png"), old)
    assert main([*arguments, "--new_phases"]) == MISTAKE
    assert "a.png would be replaced; give --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"imagePath": "c.tif"}, "its image c.tif is not among the 2 images"),
        ({"imageHeight": 81}, "it is of an image of 100x81 pixels, but the image is 100x80"),
        ({"shapes": [{"label": "pore", "points": [[500, 500], [600, 500], [600, 600]]}]}, "1 of 1 shapes lie outside"),
        ({"shapes": [{"label": "pore", "points": SQUARE}]}, "only pore is annotated, and nothing that is not it"),
        ({"shapes": [{"label": "pore", "points": SQUARE, "shape_type": "spline"}]}, "type spline (pore) are not read"),
        ({"shapes": [{"points": SQUARE}]}, "it can't be read ('label')"),
        ({"shapes": 3}, "JSON of no kind that is known"),
    ],
)
def test_what_is_refused(rock: Path, change: dict, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = labelme(rock.parent)
    name = "c" if change.get("imagePath") else "a"
    path = path.rename(path.with_name(f"{name}.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    extra = ["--background", "rest"] if "outside" in told else []
    assert main(["import-labels", str(rock), str(path), *extra]) == MISTAKE
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (rock / "labels").exists()
    assert not (rock / "phases.csv").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [("a.xml", "export it as COCO JSON"), ("a.qpdata", "Export objects"), ("a.doc", "neither an image nor")],
)
def test_files_of_other_kinds_are_named(rock: Path, name: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    (rock.parent / name).write_bytes(b"something")
    assert main(["import-labels", str(rock), str(rock.parent / name)]) == MISTAKE
    assert told in capsys.readouterr().err
    assert main(["import-labels", str(rock)]) == MISTAKE
    assert "no annotations beside the images" in capsys.readouterr().err
