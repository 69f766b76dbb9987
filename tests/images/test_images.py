from __future__ import annotations

import gzip
import io
import os
import struct
import zlib
from pathlib import Path

import imagecodecs
import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipeline.errors import UserError
from pipeline.images import read_image, read_label, stem_of, whole

RNG = np.random.default_rng(0)
GREY = (gaussian_filter(RNG.random((37, 52)), 2) * 2000 % 256).astype(np.uint8)
DEEP = GREY.astype(np.uint16) * 200 + 7
COLOUR = RNG.integers(0, 256, (37, 52, 3), dtype=np.uint8)
MASK = np.where(gaussian_filter(RNG.random((96, 128)), 3) > 0.5, 255, 0).astype(np.uint8)


def _nifti(path: Path, array: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.TIFF"])
def test_grey_8_bit_is_kept(tmp_path: Path, name: str) -> None:
    Image.fromarray(GREY).save(tmp_path / name)
    got = read_image(tmp_path / name)
    assert got.dtype == np.uint8
    assert np.array_equal(got, GREY)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG"])
def test_jpeg_as_pillow_reads_it(tmp_path: Path, name: str) -> None:
    Image.fromarray(GREY).save(tmp_path / name, quality=90)
    assert np.array_equal(read_image(tmp_path / name), np.asarray(Image.open(tmp_path / name)))


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_grey_16_bit_tiff_is_kept(tmp_path: Path, compression: str | None, byteorder: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DEEP, compression=compression, byteorder=byteorder)
    got = read_image(tmp_path / "a.tif")
    assert got.dtype == np.uint16
    assert np.array_equal(got, DEEP)


def test_grey_16_bit_png_is_kept(tmp_path: Path) -> None:
    Image.fromarray(DEEP).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), DEEP)
    assert read_image(tmp_path / "a.png").dtype == np.uint16


def test_16_bit_colour_png_keeps_its_16_bits(tmp_path: Path) -> None:
    alpha = np.full_like(DEEP, 9)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.stack([DEEP, DEEP, DEEP, alpha], -1)))
    assert np.array_equal(read_image(tmp_path / "a.png"), DEEP)


def test_float_tiff_is_float32(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.float64) / 3)
    got = read_image(tmp_path / "a.tif")
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, GREY / 3, rtol=1e-6)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_colour_becomes_luma_as_in_pillow(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(COLOUR).save(tmp_path / f"a.{suffix}")
    expected = np.asarray(Image.fromarray(COLOUR).convert("L"), dtype=int)
    got = read_image(tmp_path / f"a.{suffix}")
    assert got.dtype == np.uint8
    assert np.abs(got - expected).max() <= 1


def test_identical_channels_and_alpha(tmp_path: Path) -> None:
    alpha = RNG.integers(0, 256, GREY.shape, dtype=np.uint8)
    Image.fromarray(np.stack([GREY] * 3 + [alpha], -1)).save(tmp_path / "rgba.png")
    Image.fromarray(np.stack([GREY, alpha], -1), mode="LA").save(tmp_path / "la.png")
    tifffile.imwrite(tmp_path / "planar.tif", np.stack([GREY] * 3), photometric="rgb", planarconfig="separate")
    for name in ("rgba.png", "la.png", "planar.tif"):
        assert np.array_equal(read_image(tmp_path / name), GREY), name


def png_of_few_bits(bits: int, pixels: np.ndarray) -> bytes:
    """A grey PNG of fewer than 8 bits, which Pillow does not write."""
    height, width = pixels.shape
    single = np.unpackbits(pixels[..., None].astype(np.uint8), axis=-1)[..., 8 - bits :]
    rows = np.packbits(single.reshape(height, -1), axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [2, 4])
def test_labels_of_few_bits_keep_their_values(tmp_path: Path, bits: int) -> None:
    stored = RNG.integers(0, 2**bits, (37, 51))
    (tmp_path / "a.png").write_bytes(png_of_few_bits(bits, stored))
    assert np.array_equal(read_label(tmp_path / "a.png"), stored)
    assert np.array_equal(read_image(tmp_path / "a.png"), stored * (255 // (2**bits - 1)))  # as viewers show it


def test_palette_is_applied_to_images_and_gives_classes_in_labels(tmp_path: Path) -> None:
    indices = (np.arange(37 * 52).reshape(37, 52) % 3).astype(np.uint8)
    image = Image.fromarray(indices, mode="P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    for name in ("a.png", "a.tif"):
        image.save(tmp_path / name)
        assert np.array_equal(read_image(tmp_path / name), np.asarray(image.convert("L"))), name
        assert np.array_equal(read_label(tmp_path / name), indices), name


def test_palette_of_greys_gives_the_greys_in_labels(tmp_path: Path) -> None:
    indices = (np.arange(37 * 52).reshape(37, 52) % 2).astype(np.uint8)
    image = Image.fromarray(indices, mode="P")
    image.putpalette([255, 255, 255, 0, 0, 0])  # an optimiser may put white first
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_label(tmp_path / "a.png"), 255 * (1 - indices))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_one_bit_is_0_and_255(tmp_path: Path, name: str) -> None:
    Image.fromarray(MASK > 0).save(tmp_path / name)
    assert np.array_equal(read_image(tmp_path / name), MASK)
    assert np.array_equal(read_label(tmp_path / name), MASK)


def test_white_is_zero(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "bit.tif", MASK > 0, photometric="miniswhite")
    assert np.array_equal(read_image(tmp_path / "a.tif"), np.asarray(Image.open(tmp_path / "a.tif")))
    assert np.array_equal(read_image(tmp_path / "a.tif"), 255 - GREY)
    assert np.array_equal(read_label(tmp_path / "a.tif"), GREY)  # ImageJ's masks: the value, not the display
    assert np.array_equal(read_image(tmp_path / "bit.tif"), 255 - MASK)
    assert np.array_equal(read_label(tmp_path / "bit.tif"), 255 - MASK)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_nifti_rows_are_y(tmp_path: Path, suffix: str) -> None:
    xy = GREY.T  # NIfTI's first axis is x
    _nifti(tmp_path / f"a.{suffix}", xy)
    _nifti(tmp_path / f"b.{suffix}", xy[:, :, None].astype(np.int16))
    assert np.array_equal(read_image(tmp_path / f"a.{suffix}"), GREY)
    assert np.array_equal(read_image(tmp_path / f"b.{suffix}"), GREY)
    assert np.array_equal(read_label(tmp_path / f"b.{suffix}"), GREY)


def test_nifti_2(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti2Image(GREY.T, np.eye(4)), tmp_path / "a.nii")
    assert np.array_equal(read_image(tmp_path / "a.nii"), GREY)


def test_volume_and_pages_are_told_with_their_number(tmp_path: Path) -> None:
    _nifti(tmp_path / "v.nii", np.zeros((20, 30, 7), np.uint8))
    tifffile.imwrite(tmp_path / "v.tif", np.zeros((5, 20, 30), np.uint8), photometric="minisblack")
    with tifffile.TiffWriter(tmp_path / "two.tif") as tiff:
        tiff.write(np.zeros((20, 30), np.uint8))
        tiff.write(np.zeros((40, 60, 3), np.uint8), photometric="rgb")
    for name, images in (("v.nii", 7), ("v.tif", 5), ("two.tif", 2)):
        with pytest.raises(UserError, match=rf"{name}.* {images} .*2-D.*one file each$"):
            read_image(tmp_path / name)


def test_thumbnail_in_a_tiff_is_no_second_page(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(GREY)
        tiff.write(GREY[::4, ::4], subfiletype=1)
    assert np.array_equal(read_image(tmp_path / "a.tif"), GREY)


def test_content_counts_not_the_suffix(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png", format="TIFF")
    assert np.array_equal(read_image(tmp_path / "a.png"), GREY)


def test_pillows_pixel_limit_neither_stops_nor_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    for suffix in ("png", "jpg", "bmp"):
        Image.fromarray(GREY).save(tmp_path / f"a.{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr(whole, "_BAND", 100)  # which is below the real limit, too
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / "a.png")
    for suffix in ("png", "jpg", "bmp"):
        assert read_image(tmp_path / f"a.{suffix}").shape == GREY.shape
    assert Image.MAX_IMAGE_PIXELS == 100
    assert not recwarn.list


def _encoded() -> dict[str, bytes]:
    def saved(kind: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(GREY).save(buffer, kind, **options)
        return buffer.getvalue()

    def tiff(compression: str | None) -> bytes:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, GREY, compression=compression, rowsperstrip=8)
        return buffer.getvalue()

    nifti = nibabel.Nifti1Image(GREY.T, np.eye(4)).to_bytes()
    return {
        "a.png": saved("PNG"),
        "a.bmp": saved("BMP"),
        "a.jpg": saved("JPEG"),
        "progressive.jpg": saved("JPEG", progressive=True),
        "plain.tif": tiff(None),
        "lzw.tif": tiff("lzw"),
        "zlib.tif": tiff("zlib"),
        "a.nii": nifti,
        "a.nii.gz": gzip.compress(nifti),
        "deep.png": imagecodecs.png_encode(np.stack([DEEP] * 3, -1)),
    }


@pytest.mark.parametrize("name", list(_encoded()))
def test_no_truncation_goes_unnoticed(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = _encoded()[name]
    path = tmp_path / name
    path.write_bytes(whole)
    expected = read_image(path)
    messages = []
    for length in np.linspace(0, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:length])
        try:
            got = read_image(path)
        except UserError as error:
            messages.append(str(error))
        else:  # only bytes after the last pixel were missing
            assert length > 0.97 * len(whole)
            assert np.array_equal(got, expected)
    assert len(messages) > 50
    assert all(name in message and "copy it again" in message for message in messages)
    assert not caplog.records  # one message, and no lines of the decoder's beside it


def test_other_unusable_files(tmp_path: Path) -> None:
    (tmp_path / "lfs.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    (tmp_path / "text.tif").write_text("hello")
    (tmp_path / "folder.png").mkdir()
    for name, cause in (
        ("lfs.png", "Git LFS pointer"),
        ("text.tif", "text file, not an image"),
        ("folder.png", "folder"),
        ("none.png", "no such file"),
    ):
        with pytest.raises(UserError, match=rf"{name}.*{cause}"):
            read_image(tmp_path / name)


def test_cmyk_tiff_is_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "a.tif")
    with pytest.raises(UserError, match="SEPARATED"):
        read_image(tmp_path / "a.tif")


def test_label_from_rgb(tmp_path: Path) -> None:
    label = (GREY % 3).astype(np.uint8)
    Image.fromarray(np.stack([label] * 3, -1)).save(tmp_path / "same.png")
    Image.fromarray(COLOUR).save(tmp_path / "colour.png")
    assert np.array_equal(read_label(tmp_path / "same.png"), label)
    with pytest.raises(UserError, match=r"colour\.png.*colour.*one grey value per class"):
        read_label(tmp_path / "colour.png")


def test_label_from_floats(tmp_path: Path) -> None:
    label = (GREY % 3).astype(np.float64)
    _nifti(tmp_path / "whole.nii.gz", label.T)
    got = read_label(tmp_path / "whole.nii.gz")
    assert got.dtype.kind == "i"
    assert np.array_equal(got, label)
    for name, value in (("half", 0.5), ("nan", np.nan)):
        label[3, 4] = value
        _nifti(tmp_path / f"{name}.nii", label.T)
        with pytest.raises(UserError, match=rf"{name}\.nii.*whole numbers"):
            read_label(tmp_path / f"{name}.nii")


@pytest.mark.parametrize("quality", [40, 75, 95])
def test_jpeg_of_a_black_and_white_mask_is_cut(tmp_path: Path, quality: int) -> None:
    Image.fromarray(MASK).save(tmp_path / "a.jpg", quality=quality)
    got = read_label(tmp_path / "a.jpg")
    assert set(np.unique(got)) == {0, 255}
    assert np.mean(got != MASK) < 0.001


@pytest.mark.parametrize("levels", [(0, 1), (0, 2), (0, 127, 255), (10, 100)])
def test_jpeg_of_other_classes_is_refused(tmp_path: Path, levels: tuple[int, ...]) -> None:
    smooth = gaussian_filter(RNG.random((96, 128)), 6)
    classes = np.digitize(smooth, np.quantile(smooth, np.linspace(0, 1, len(levels) + 1)[1:-1]))
    Image.fromarray(np.array(levels, np.uint8)[classes]).save(tmp_path / "a.jpg", quality=90)
    with pytest.raises(UserError, match="JPEG"):
        read_label(tmp_path / "a.jpg")


def test_stem() -> None:
    assert stem_of("x/a.nii.gz") == "a"
    assert stem_of("a.b.TIF") == "a.b"
    assert stem_of(Path("depth-3729.2m-crop_1.png")) == "depth-3729.2m-crop_1"
    assert stem_of("depth-3729.2m") == "depth-3729.2m"


@pytest.mark.data
@pytest.mark.parametrize("name", ["zeiss.tif", "thermo_fei.tif"])
def test_vendor_tiffs_as_pillow_shows_them(shared: Path, name: str) -> None:
    path = shared / "vendor_tiff" / name
    assert np.array_equal(read_image(path), np.asarray(Image.open(path).convert("L")))


def test_a_name_that_no_result_could_hold_is_refused() -> None:
    with pytest.raises(UserError, match=r"bad\\xff\.png: its name is not UTF-8 text.*rename it"):
        read_image(os.fsdecode(b"bad\xff.png"))
