from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from pipeline.data.checks import Inspection, inspect_pairs
from pipeline.data.pairs import pair_files
from pipeline.errors import UserError


def _inspect(root: Path) -> Inspection:
    return inspect_pairs(pair_files(root).pairs)


def _lines(root: Path) -> list[str]:
    return [problem.line(root) for problem in _inspect(root).problems]


def test_what_is_kept(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.25, "b": 0.0}, size=(20, 40))
    (root / "text").mkdir()
    (root / "text" / "a.txt").write_bytes("\ufeff thin pores – many\r\n".encode())
    inspection = _inspect(root)
    a, b = inspection.records
    assert not inspection.problems
    assert (a.pair.name, a.shape, a.dtype, a.counts) == ("a", (20, 40), "uint8", {0: 600, 255: 200})
    assert a.image_sha256 == hashlib.sha256((root / "images" / "a.png").read_bytes()).hexdigest()
    assert a.label_sha256 == hashlib.sha256((root / "labels" / "a.png").read_bytes()).hexdigest()
    assert a.prompt == "thin pores – many"
    assert (b.counts, b.prompt) == ({0: 800}, None)


def test_every_problem_is_told_with_its_file(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(dict.fromkeys(("cut", "fine", "inf", "lab", "nan", "bars", "size", "tiny", "txt", "utf"), 0.2))
    images, labels, text = root / "images", root / "labels", root / "text"
    whole = (images / "cut.png").read_bytes()
    (images / "cut.png").write_bytes(whole[: len(whole) // 2])
    (labels / "lab.png").write_bytes(b"")
    for name, value in (("nan", np.nan), ("inf", -np.inf)):
        pixels = np.ones((24, 40), np.float32)
        pixels[2, 3:5] = value
        (images / f"{name}.png").unlink()
        tifffile.imwrite(images / f"{name}.tif", pixels)
    Image.new("L", (41, 24)).save(labels / "size.png")
    Image.new("L", (40, 15), 9).save(images / "tiny.png")
    Image.new("L", (40, 15)).save(labels / "tiny.png")
    text.mkdir()
    (text / "bars.txt").write_text(" | |\n")
    (text / "txt.txt").write_text(" \n")
    (text / "utf.txt").write_bytes("Größe".encode("latin-1"))
    inspection = _inspect(root)
    expected = [
        ("text/bars.txt: the text holds only bars, no phrase", "remove the file"),
        ("images/cut.png: it is truncated", "copy it again"),
        ("images/inf.tif: 2 pixels are NaN or infinite", "fill them"),
        ("labels/lab.png: the file is empty", "copy it again"),
        ("images/nan.tif: 2 pixels are NaN or infinite", "fill them"),
        ("labels/size.png: it is 41x24 pixels, but its image size.png is 40x24 pixels", "same size"),
        ("images/tiny.png: it is only 40x15 pixels", "larger crop"),
        ("text/txt.txt: the text is empty", "remove the file"),
        ("text/utf.txt: the text is not UTF-8", "UTF-8"),
    ]
    lines = [problem.line(root) for problem in inspection.problems]
    assert len(lines) == len(expected)
    for line, (start, remedy) in zip(lines, expected, strict=True):
        assert line.startswith(start)
        assert remedy in line.split(";", 1)[1]
    # a broken text costs its prompt only
    assert [(r.pair.name, r.prompt) for r in inspection.records] == [
        ("bars", None),
        ("fine", None),
        ("txt", None),
        ("utf", None),
    ]


def test_image_and_label_of_one_pair_may_both_be_bad(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.2, "b": 0.2})
    for folder in ("images", "labels"):
        (root / folder / "a.png").write_bytes(b"")
    assert [line.split(":")[0] for line in _lines(root)] == ["images/a.png", "labels/a.png"]


@pytest.mark.parametrize(("folder", "word"), [("images", "black"), ("labels", "nothing is marked as pore")])
def test_all_zero_folder(make_dataset: Callable[..., Path], folder: str, word: str) -> None:
    root = make_dataset({"a": 0.2, "b": 0.2})
    Image.new("L", (40, 24)).save(root / folder / "a.png")
    assert not _lines(root)  # a single one may be
    Image.new("L", (40, 24)).save(root / folder / "b.png")
    (line,) = _lines(root)
    assert line.startswith(f"{folder}: every ")
    assert word in line
    assert not _inspect(root).records


def test_notes_on_flat_images_and_jpeg_labels(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.2, "b": 0.2})
    Image.new("L", (40, 24), 7).save(root / "images" / "a.png")
    mask = Image.open(root / "labels" / "b.png").copy()
    (root / "labels" / "b.png").unlink()
    mask.save(root / "labels" / "b.jpg")
    inspection = _inspect(root)
    assert not inspection.problems
    assert inspection.records[1].counts.keys() == {0, 255}
    flat, jpeg = inspection.notes
    assert "single grey value: a.png" in flat
    assert "JPEG" in jpeg
    assert "b.jpg" in jpeg


def test_note_on_images_in_colour(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.2, "b": 0.2})
    grey = np.asarray(Image.open(root / "images" / "a.png"))
    Image.fromarray(np.repeat(grey[..., None], 3, axis=2)).save(root / "images" / "a.png")
    Image.fromarray(np.stack([grey, grey[::-1], 255 - grey], axis=2)).save(root / "images" / "b.png")
    (note,) = _inspect(root).notes
    assert note.startswith("colour channels differ in 1 image(s), b.png; they are converted to grey")


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_swapped_folders_are_told(make_dataset: Callable[..., Path], suffix: str) -> None:
    """A micrograph is no label for many reasons: it has grey levels, fractions of them, or is a JPEG."""
    root = make_dataset(dict.fromkeys("abc", 0.2), folders=("labels", "images"))
    for path in (root / "labels").iterdir():
        pixels = np.asarray(Image.open(path))
        path.unlink()
        if suffix == "tif":
            tifffile.imwrite(path.with_suffix(".tif"), pixels / np.float32(300))
        else:
            Image.fromarray(pixels).save(path.with_suffix(f".{suffix}"))
    mask = np.asarray(Image.open(root / "images" / "b.png")).copy()
    mask[3] = 7
    Image.fromarray(mask).save(root / "images" / "b.png")
    with pytest.raises(UserError) as caught:
        _inspect(root)
    assert str(caught.value) == (
        f"{root}: the images in images/ hold 2 or 3 values and the labels in labels/ grey levels: are the folders "
        "swapped? Exchange their names"
    )


def test_one_odd_pair_is_no_swapped_folder(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(dict.fromkeys("abc", 0.2))
    one, other = root / "images" / "a.png", root / "labels" / "a.png"
    image, label = one.read_bytes(), other.read_bytes()
    one.write_bytes(label)
    other.write_bytes(image)
    assert len(_inspect(root).records) == 3


@pytest.mark.data
def test_real_folders_are_not_swapped_but_would_be_told(shared: Path, tmp_path: Path) -> None:
    for name, layout in (("nankai", ("images", "labels")), ("vlse", ("patch_images", "patch_mask"))):
        assert not _inspect(shared / name).problems
        swapped = tmp_path / name
        swapped.mkdir()
        for own, other in (layout, layout[::-1]):
            (swapped / own).symlink_to(shared / name / other)
        with pytest.raises(UserError, match="are the folders swapped"):
            _inspect(swapped)


def test_a_data_set_takes_every_format_that_scans_take(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(dict.fromkeys(("mrc", "real", "zarr", "bit"), 0.2))
    expected = {path.stem: np.asarray(Image.open(path)) for path in (root / "labels").iterdir()}
    for path in [*(root / "images").iterdir(), *(root / "labels").iterdir()]:
        pixels = np.asarray(Image.open(path))
        path.unlink()
        if path.stem == "mrc":
            with mrcfile.new(path.with_suffix(".mrc")) as file:
                file.set_data(pixels.astype(np.int16))
        elif path.stem == "zarr":
            zarr.open(str(path.with_suffix(".zarr")), mode="w", shape=pixels.shape, dtype=pixels.dtype)[...] = pixels
        elif path.parent.name == "labels" and path.stem == "bit":
            tifffile.imwrite(path.with_suffix(".tif"), pixels > 0, photometric="minisblack")
        else:
            tifffile.imwrite(path.with_suffix(".btf"), pixels.astype(np.float32), bigtiff=True, tile=(16, 16))
    inspection = _inspect(root)
    assert not inspection.problems
    assert len({record.image_sha256 for record in inspection.records}) == 4
    for record in inspection.records:
        assert record.counts == dict(zip(*np.unique(expected[record.pair.name], return_counts=True), strict=True))


def test_what_is_odd_in_how_pixels_are_stored_is_told(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.25, "b": 0.25}, size=(64, 64))
    mask, tiled = np.asarray(Image.open(root / "labels" / "a.png")), root / "labels" / "b.tif"
    tifffile.imwrite(root / "labels" / "a.tif", mask, photometric="miniswhite", metadata=None)
    tifffile.imwrite(tiled, mask, tile=(32, 32), metadata=None)
    with tifffile.TiffFile(tiled) as file:
        counts = file.pages[0].tags[325]
    data = bytearray(tiled.read_bytes())
    data[counts.valueoffset : counts.valueoffset + counts.valuebytecount // 4] = bytes(counts.valuebytecount // 4)
    tiled.write_bytes(data)
    for name in ("a.png", "b.png"):
        (root / "labels" / name).unlink()
    (note,) = [note for note in _inspect(root).notes if note.startswith("check how these are stored")]
    assert "a.tif (it is 'white is zero'" in note
    assert "b.tif (1 of its 4 tiles are not stored" in note


def test_labels_below_zero_are_refused(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.25, "b": 0.25})
    mask = np.asarray(Image.open(root / "labels" / "a.png"))
    (root / "labels" / "a.png").unlink()
    tifffile.imwrite(root / "labels" / "a.tif", mask.view(np.int8), metadata=None)
    (line,) = _lines(root)
    assert "its values go down to -1" in line
