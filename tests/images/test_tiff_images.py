"""Which images a TIFF holds, and which page tells how each was taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.images.microscope import read_acquisition
from pipeline.images.tiff_structure import images_of, own_part
from tests.images.microscope.files import IMAGE, fei

_SET = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {uuid}>
<Instrument><Detector Model="BSE"/></Instrument><Image><Pixels SizeZ="2" SizeC="3" SizeT="1" PhysicalSizeX="1">
<Channel SamplesPerPixel="3"/><TiffData IFD="0"><UUID FileName="A.tif">u1</UUID></TiffData>
<TiffData IFD="0" FirstZ="1"><UUID FileName="b.tif">u2</UUID></TiffData><Plane TheZ="0"/></Pixels></Image></OME>"""


def resolution(nm: float) -> dict[str, object]:
    return {"resolution": (1e7 / nm, 1e7 / nm), "resolutionunit": "CENTIMETER"}


def test_own_part_of_an_xml() -> None:
    by_name = own_part(_SET.format(uuid=""), "a.tif")
    by_uuid = own_part(_SET.format(uuid='UUID="u2"'), "renamed.tif")
    unknown = own_part(_SET.format(uuid=""), "renamed.tif")
    assert (by_name.others, by_name.listed) == (("b.tif",), 2)
    assert (by_uuid.others, by_uuid.listed) == (("A.tif",), 2)
    for part in (by_name, by_uuid):
        assert part.xml is not None
        assert part.xml.count("TiffData ") == 1
        assert "UUID" not in part.xml.partition("TiffData")[2]
        assert "PhysicalSizeX" in part.short
        assert "TiffData" not in part.short
        assert "Plane " not in part.short
    assert unknown.xml is None
    assert "BSE" in unknown.short
    assert own_part("<OME", "a.tif").xml is None
    alone = own_part(_SET.format(uuid="").replace("b.tif", "A.tif").replace("u2", "u1"), "renamed.tif")
    assert (alone.arrays, alone.others) == (1, ())


def test_each_page_has_its_own_scale_and_tags(tmp_path: Path) -> None:
    text = fei(width=7e-9, rows=96).encode()
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(IMAGE, metadata=None, **resolution(4))
        writer.write(IMAGE, metadata=None, compression="zlib", **resolution(5))
        writer.write(IMAGE, metadata=None, **resolution(6))
        writer.write(IMAGE, metadata=None, compression="zlib", extratags=[(34682, 2, len(text) + 1, text, True)])
    sizes = [read_acquisition(tmp_path / "a.tif", image=page).pixel_size_nm for page in range(4)]
    assert sizes == [pytest.approx((size, size), rel=1e-3) for size in (4, 5, 6, 7)]


def test_a_page_without_a_scale_has_that_of_the_first_if_it_is_of_its_size(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(IMAGE, metadata=None, **resolution(4))
        writer.write(IMAGE, metadata=None, resolution=None)
        writer.write(IMAGE[:50], metadata=None, resolution=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        for page in (1, 2):
            for tag in ("XResolution", "YResolution"):
                tiff.pages[page].tags[tag].overwrite((0, 0))
    sizes = [read_acquisition(tmp_path / "a.tif", image=page).pixel_size_nm for page in range(3)]
    assert sizes == [pytest.approx((4, 4), rel=1e-3), pytest.approx((4, 4), rel=1e-3), None]


def test_a_thumbnail_before_the_image_does_not_tell_its_size(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(IMAGE[::4, ::4], metadata=None, subfiletype=1, **resolution(16))
        writer.write(IMAGE, metadata=None, **resolution(4))
    (image,) = images_of(tmp_path / "a.tif").images
    assert image.page == (1,)
    assert read_acquisition(tmp_path / "a.tif").pixel_size_nm == pytest.approx((4, 4), rel=1e-3)


def test_a_file_of_which_a_later_page_is_broken_still_tells_of_its_first(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for _ in range(3):
            writer.write(IMAGE, metadata=None, **resolution(4))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        at = tiff.pages[1].offset
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[at : at + 2] = b"\xff\xff"
    (tmp_path / "a.tif").write_bytes(bytes(data))
    assert read_acquisition(tmp_path / "a.tif").pixel_size_nm == pytest.approx((4, 4), rel=1e-3)


def test_axes_and_places(tmp_path: Path) -> None:
    pixels = np.stack([IMAGE] * 6).reshape(3, 2, *IMAGE.shape)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "ZCYX"})
    found = images_of(tmp_path / "a.tif")
    assert found.axes == ((("Z", 3), ("C", 2)),)
    assert [image.place for image in found.images[:3]] == ["z 0, c 0", "z 0, c 1", "z 1, c 0"]
    assert images_of(tmp_path / "a.tif") is found  # not looked for again
