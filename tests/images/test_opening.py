from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.errors import UserError
from pipeline.images import cropped, open_image, open_stack, scans_in
from pipeline.images.folders import natural, subfolders_with_images
from pipeline.images.rectangles import Roi
from tests.images.cases import assert_reads, noise


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", r"empty \(0 bytes\)"),
        (b"some text that is no image", "it is a text file"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"ZISRAWFILE" + bytes(30), "CZI file; export it as TIFF"),
        (b"%PDF-1.7", "it is a PDF"),
        (bytes(range(200)), "not TIFF, PNG, .* or Zarr; save the image as TIFF"),
        (b"\x1f\x8b" + bytes(30), "truncated or damaged"),
        (b"PK\x03\x04" + bytes(30), "can't be opened as Zarr"),
    ],
)
def test_what_is_no_scan_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "scan.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        open_image(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\x00")
    (tmp_path / "a.tif").chmod(0)
    with pytest.raises(UserError, match="can't be opened"):
        open_image(tmp_path / "a.tif")


def test_a_folder_is_a_stack_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    images = {f"s{number}.png": noise((20, 30), seed=number) for number in (10, 9, 100)}
    with pytest.raises(UserError, match="not a Zarr and holds no images"):
        open_image(tmp_path)
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="folder of 3 images"):
        open_image(tmp_path)
    stack = open_stack(tmp_path)
    for name, source in zip(("s9.png", "s10.png", "s100.png"), stack, strict=True):
        assert_reads(source, images[name])
    single = open_stack(tmp_path / "s9.png")
    assert len(single) == 1
    assert_reads(single[0], images["s9.png"])


def test_a_folder_holds_scans_of_all_formats(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image = noise((20, 30))
    for name in ("a.tif", "c.btf", "c.TF8"):
        tifffile.imwrite(tmp_path / name, image)
    with mrcfile.new(tmp_path / "b.mrc") as file:
        file.set_data(image.astype(np.int16))
    for name, inside in (("d.zarr.zip", ".zarray"), ("papers.zip", "paper.pdf")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(inside, "{}")
    for name in ("a.txt", "scan.dm4", "table.xlsx"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in scans_in(str(tmp_path))] == ["a.tif", "b.mrc", "c.btf", "c.TF8", "d.zarr.zip"]
    (warning,) = caplog.messages
    assert "skipped, as their names are not those of images: papers.zip, scan.dm4, table.xlsx;" in warning


def test_a_folder_without_images_says_where_they_are(tmp_path: Path) -> None:
    for name in ("empty", "images", "labels", ".hidden"):
        (tmp_path / name).mkdir()
    opened: list[Callable[[str], object]] = [open_image, open_stack, scans_in]
    for opens in opened:
        with pytest.raises(UserError, match=r"holds no images; check the path$"):
            opens(str(tmp_path))
    for name in ("day2", "labels", ".hidden"):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.fromarray(noise((20, 30))).save(tmp_path / name / "a.png")
    for opens in opened:
        with pytest.raises(UserError, match=f"holds no images, but {tmp_path}/day2, {tmp_path}/labels do; give one$"):
            opens(str(tmp_path))
    Image.fromarray(noise((20, 30))).save(tmp_path / "images" / "a.png")
    for opens in opened:  # a data set: its masks are no scans
        with pytest.raises(UserError, match=f"holds no images, but {tmp_path}/images does; give that folder$"):
            opens(str(tmp_path))
    assert [path.name for path in subfolders_with_images(tmp_path)] == ["day2", "images", "labels"]


def test_a_tiff_of_several_pages_is_a_stack(tmp_path: Path) -> None:
    pages = noise((3, 20, 30))
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    for page, source in zip(pages, open_stack(tmp_path / "a.tif"), strict=True):
        assert_reads(source, page)


def test_a_broken_link_names_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "a.tif").symlink_to(tmp_path / "gone.tif")
    with pytest.raises(UserError, match=r"a\.tif: it is a link to .*gone\.tif, which does not exist"):
        open_image(tmp_path / "a.tif")


def test_natural_order() -> None:
    assert sorted(["b1", "a10", "a9", "A9b", "1"], key=natural) == ["1", "a9", "A9b", "a10", "b1"]
    assert sorted(["5²10.tif", "5²9.tif"], key=natural) == ["5²9.tif", "5²10.tif"]  # a digit that is no number


def test_nan_is_told_where_it_is_read(tmp_path: Path) -> None:
    image = noise((40, 50), "float32")
    image[30, 5:7] = np.nan, np.inf
    tifffile.imwrite(tmp_path / "a.tif", image)
    with open_image(tmp_path / "a.tif") as source:
        np.testing.assert_array_equal(source.read(0, 0, 30, 50), image[:30])
        with pytest.raises(
            UserError, match=r"a\.tif: 2 pixels are NaN or infinite in the region x 5 to 6, y 30 to 30;"
        ):
            source.read(25, 0, 10, 10)


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, 0, 41, 5), (0, 46, 5, 5), (0, 0, 0, 5)])
def test_a_window_outside_is_a_mistake_of_the_program(tmp_path: Path, window: tuple[int, int, int, int]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((40, 50)))
    with open_image(tmp_path / "a.tif") as source, pytest.raises(ValueError, match="not inside"):
        source.read(*window)


def test_fingerprint(tmp_path: Path) -> None:
    image = noise((3000, 2000))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image)
    first = open_image(path).fingerprint()
    assert first == open_image(path).fingerprint()
    assert first["bytes"] == path.stat().st_size
    assert (first["name"], first["shape"], first["dtype"]) == ("a.tif", [3000, 2000], "uint8")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, (first["modified"], first["modified"]))
    changed = open_image(path).fingerprint()
    assert {key for key in first if first[key] != changed[key]} == {"sha256_of_samples"}


def test_roi(tmp_path: Path) -> None:
    image = noise((40, 50))
    tifffile.imwrite(tmp_path / "a.tif", image)
    roi = Roi.of("10, 5,40,30")
    assert (roi, str(roi)) == (Roi(10, 5, 40, 30), "10,5,40,30")
    source = open_image(tmp_path / "a.tif")
    with cropped(source, roi) as part:
        assert_reads(part, image[5:35, 10:])
        assert part.fingerprint()["roi"] == "10,5,40,30"
        assert part.fingerprint()["sha256_of_samples"] == source.fingerprint()["sha256_of_samples"]
    with pytest.raises(UserError, match=r"a\.tif: roi 11,5,40,30 extends beyond the scan, which is 50 x 40 pixels"):
        cropped(source, Roi(11, 5, 40, 30))


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1.5,2,3,4", "-1,0,5,5", "0,0,0,5"])
def test_roi_that_is_none(text: str) -> None:
    with pytest.raises(UserError, match="roi"):
        Roi.of(text)
