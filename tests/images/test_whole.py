from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.images import open_image, read_image, whole
from tests.images.cases import assert_reads, noise


def write(folder: Path, name: str) -> Path:
    path = folder / name
    colour = noise((61, 83, 3))
    if name == "grey16.png":
        Image.fromarray(noise((61, 83), "uint16")).save(path)
    elif name == "deep.png":
        path.write_bytes(imagecodecs.png_encode(noise((61, 83, 3), "uint16")))
    elif name == "palette.png":
        Image.fromarray(colour).convert("P").save(path)
    elif name.startswith("rgb"):
        Image.fromarray(colour).save(path)
    else:
        Image.fromarray(noise((61, 83))).save(path)
    return path


NAMES = ["grey.png", "grey16.png", "deep.png", "palette.png", "rgb.png", "grey.jpg", "rgb.jpg", "grey.bmp", "rgb.bmp"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spilled", [False, True])
def test_reads_as_read_image(tmp_path: Path, name: str, spilled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, name)
    monkeypatch.setattr(whole, "_BAND", 1000)
    if spilled:
        monkeypatch.setattr(whole, "MOST_IN_MEMORY", 1000)
    with open_image(path, spill_dir=tmp_path / "spill") as source:
        assert source.decoded_whole
        assert source.channels == (3 if "rgb" in name or name == "deep.png" else 1)
        assert_reads(source, read_image(path))
        assert "decoded whole" in source.describe()
    assert (tmp_path / "spill").exists() == spilled


def test_what_was_spilled_is_used_again_for_the_same_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(whole, "MOST_IN_MEMORY", 1000)
    monkeypatch.setattr(whole, "_LITTLE", 1000)
    path = write(tmp_path, "grey.png")
    pixels = read_image(path)
    for expected in (1, 0):
        caplog.clear()
        with caplog.at_level("INFO", logger="vlsenet"), open_image(path, spill_dir=tmp_path / "spill") as source:
            assert_reads(source, pixels)
        assert caplog.text.count("must be decoded as a whole") == expected
    Image.fromarray(noise((61, 83), seed=5)).save(path)
    with open_image(path, spill_dir=tmp_path / "spill") as source:
        assert_reads(source, read_image(path))


def test_pillows_limit_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr(whole, "_BAND", 100)  # releases of Pillow before 13 ask of a part, too
    path = write(tmp_path, "grey.png")
    assert_reads(open_image(path), np.asarray(noise((61, 83))))


@pytest.mark.parametrize("name", ["grey.png", "deep.png", "rgb.jpg", "grey.bmp"])
def test_truncated_files_are_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name)
    data = path.read_bytes()
    for kept in (len(data) // 2, 60, 20):
        path.write_bytes(data[:kept])
        with pytest.raises(UserError, match=f"{name}: .*truncated"):
            open_image(path)


def test_a_disk_without_room_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "MOST_IN_MEMORY", 1000)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_2_0", full)
    with pytest.raises(UserError, match=r"can't write decoded pixels here .No space left on device"):
        open_image(write(tmp_path, "grey.png"), spill_dir=tmp_path / "spill")
    assert not list((tmp_path / "spill").iterdir())
