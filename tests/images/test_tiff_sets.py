"""OME-TIFFs that are one file of a set, and those whose planes are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.images import open_image, open_stack, tiff
from pipeline.images.volume import ScanVolume
from tests.images.cases import assert_reads, noise
from tests.images.sets import ome_image, plane, write_ome, write_set

OPTIONS: list[dict[str, str]] = [{}, {"compression": "zlib"}]
SLICES = noise((3, 40, 50))


@pytest.mark.parametrize("options", OPTIONS)
def test_a_file_of_a_set_means_itself(
    tmp_path: Path, options: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    files = write_set(tmp_path, SLICES, **options)
    for file, pixels in zip(files, SLICES, strict=True):
        with open_image(file) as source:
            assert_reads(source, pixels)
            assert source.pixel_size_nm == pytest.approx((10, 10))
    for source, pixels in zip(open_stack(tmp_path), SLICES, strict=True):
        assert_reads(source, pixels)
    assert not caplog.messages

    stack = open_stack(files[1])
    assert len(stack) == 1
    assert_reads(stack[0], SLICES[1])
    (warning,) = caplog.messages
    assert "s1.ome.tif: it holds 1 of the 3 images of a set of files (with s0.ome.tif, s2.ome.tif)" in warning
    with pytest.raises(UserError, match=r"s1\.ome\.tif: no page 1: it holds 1 of the 3 images"):
        open_image(files[1], page=1)


def test_files_of_a_set_are_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of n files that each name all of them would be opened n times n times."""
    files = write_set(tmp_path, SLICES)
    opened = []
    original = tiff.tifffile.FileHandle.open
    monkeypatch.setattr(
        tiff.tifffile.FileHandle, "open", lambda self: opened.append(Path(str(self._file)).name) or original(self)
    )
    open_image(files[0]).close()
    assert set(opened) == {"s0.ome.tif"}


def test_a_file_of_several_planes_of_a_set(tmp_path: Path) -> None:
    """Channel by channel in files of their own, each of which is a volume; a page is of this file."""
    planes = "".join(plane(z, z=z, c=c, file=f"c{c}.ome.tif") for c in range(2) for z in (1, 0, 2))
    for c in range(2):
        write_ome(tmp_path / f"c{c}.ome.tif", ome_image(planes, (40, 50), z=3, c=2), SLICES + c, uuid=f"c{c}.ome.tif")
    for source, pixels in zip(open_stack(tmp_path / "c1.ome.tif"), SLICES + 1, strict=True):
        assert_reads(source, pixels)
    with pytest.raises(UserError, match=r"it holds 3 of the 6 images of a set of files \(with c0\.ome\.tif\)"):
        open_image(tmp_path / "c1.ome.tif")


def test_an_image_that_is_whole_in_its_file_needs_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Fields of view in files of their own: each has the pixel size of its field."""
    images = "".join(
        ome_image("".join(plane(z, z=z, file=f"{field}.ome.tif") for z in range(3)), (40, 50), z=3, number=i, nm=nm)
        for i, (field, nm) in enumerate((("a", 10), ("b", 20)))
    )
    write_ome(tmp_path / "a.ome.tif", images, SLICES)
    write_ome(tmp_path / "b.ome.tif", images, 255 - SLICES)
    stack = open_stack(tmp_path / "b.ome.tif")
    for source, pixels in zip(stack, 255 - SLICES, strict=True):
        assert_reads(source, pixels)
        assert source.pixel_size_nm == pytest.approx((20, 20))
    assert not caplog.messages


@pytest.mark.parametrize("uuid", ["one", None])
def test_a_renamed_file_means_itself(tmp_path: Path, uuid: str | None) -> None:
    planes = "".join(plane(2 - z, z=z, file="old.ome.tif", uuid="one") for z in range(3))
    write_ome(tmp_path / "old.ome.tif", ome_image(planes, (40, 50), z=3), 255 - SLICES, uuid=uuid)
    write_ome(tmp_path / "new.ome.tif", ome_image(planes, (40, 50), z=3), SLICES, uuid=uuid)
    for source, pixels in zip(open_stack(tmp_path / "new.ome.tif"), SLICES[::-1], strict=True):
        assert_reads(source, pixels)


def test_a_renamed_file_of_a_set(tmp_path: Path) -> None:
    for number, file in enumerate(write_set(tmp_path, SLICES)):
        with open_image(file.rename(tmp_path / f"n{number}.tif")) as source:
            assert_reads(source, SLICES[number])


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("there", [(0, 1), (0, 2)])
def test_a_missing_plane_is_named(tmp_path: Path, options: dict[str, str], there: tuple[int, int]) -> None:
    (gone,) = {0, 1, 2} - set(there)
    planes = "".join(plane(ifd, z=z) for ifd, z in enumerate(there))
    path = write_ome(tmp_path / "a.ome.tif", ome_image(planes, (40, 50), z=3), SLICES[list(there)], **options)
    for z in there:
        with open_image(path, page=z) as source:
            assert_reads(source, SLICES[z])
    missing = rf"a\.ome\.tif: image {gone} \(z {gone}\) is missing: its OME-XML lists 3 images, but the file holds 2"
    with pytest.raises(UserError, match=missing):
        open_image(path, page=gone)
    with ScanVolume(open_stack(path)) as volume:  # as `vlsenet info` looks at it
        assert volume.depth == 3
        with pytest.raises(UserError, match=missing):
            volume.fingerprint()
        with pytest.raises(UserError, match=missing):
            volume.read(1, 0, 0, 1, 1)


def test_planes_in_another_order_than_the_pages(tmp_path: Path) -> None:
    planes = "".join(plane(2 - z, z=z) for z in range(3))
    path = write_ome(tmp_path / "a.ome.tif", ome_image(planes, (40, 50), z=3), SLICES)
    for source, pixels in zip(open_stack(path), SLICES[::-1], strict=True):
        assert_reads(source, pixels)


def test_an_xml_that_names_no_plane_of_its_file(tmp_path: Path) -> None:
    """Its pages are all that is known."""
    planes = "".join(plane(0, z=z, file=f"{z}.ome.tif") for z in range(3))
    path = write_ome(tmp_path / "a.ome.tif", ome_image(planes, (40, 50), z=3), SLICES[:2])
    stack = open_stack(path)
    assert len(stack) == 2
    np.testing.assert_array_equal(stack[1].read(0, 0, 40, 50), SLICES[1])
