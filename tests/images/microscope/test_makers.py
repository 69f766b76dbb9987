"""Older, newer and odd ways in which makers write the scale of an image of 128 x 96 px."""

from __future__ import annotations

from pathlib import Path

import pytest
import tifffile
from PIL import Image

from pipeline.images.microscope import Acquisition, read_acquisition
from tests.images.microscope.files import FEI, HITACHI, IMAGE, JEOL, OME, TESCAN, write, zeiss


def warned(found: Acquisition, *words: str) -> bool:
    return any(all(word in line for word in words) for line in found.warnings)


def beside(folder: Path, text: str, suffix: str = ".txt", encoding: str = "utf-8") -> Acquisition:
    (folder / f"a{suffix}").write_bytes(text.encode(encoding))
    return read_acquisition(write(folder / "a.tif"))


def test_tescan_tag_behind_binary_zeros(tmp_path: Path) -> None:
    tag = b"\0\1" * 150 + TESCAN.format(size=2.5e-8, strip=12).encode() + b"\0" * 40
    found = read_acquisition(write(tmp_path / "a.tif", {50431: tag}))
    assert found.pixel_size_nm == pytest.approx((25, 25))
    assert (found.voltage_kv, found.bar_height, found.warnings) == (15, 12, ())


def test_tescan_views_side_by_side_are_told(tmp_path: Path) -> None:
    one = TESCAN.format(size=2.5e-8, strip=12) + "ViewFieldsCountX=1\r\nViewFieldsCountY=1\r\n"
    assert not beside(tmp_path, one, ".hdr").warnings
    assert warned(beside(tmp_path, one.replace("CountX=1", "CountX=2"), ".hdr"), "2 views", "--roi")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "cp437", "cp932", "gbk", "cp949", "big5"])
@pytest.mark.parametrize("suffix", [".txt", ".TXT", ".Txt"])
def test_jeol_in_any_code_page(tmp_path: Path, suffix: str, encoding: str) -> None:
    sign = "µ" if encoding in ("utf-8", "utf-16", "cp1252", "cp437") else "μ"
    found = beside(tmp_path, JEOL.format(bar=100, marker=f"1{sign}m", full="128 90"), suffix, encoding)
    assert found.pixel_size_nm == pytest.approx((10, 10))
    assert not found.warnings


@pytest.mark.parametrize(
    "text",
    [
        "$CM_PIXEL_SIZE 10.00nm 10.00nm\n",
        "$CM_PIXEL_SIZE 10.00nm\n",
        "$CM_FIELD_OF_VIEW 1.280\u00b5m 0.900\u00b5m\n",
        "$CM_FIELD_OF_VIEW 1.280 0.900\n",
        "$CM_FIELD_OF_VIEW 1280 nm 900 nm\n",
        "$CM_PIXEL_SIZE 10\n$$SM_MICRON_BAR 100\n$$SM_MICRON_MARKER 1um\n",  # a bare number: nm or um
    ],
)
def test_newer_jeol(tmp_path: Path, text: str) -> None:
    found = beside(tmp_path, f"$CM_FORMAT SEM-IMAGE\n$CM_IMAGE_SIZE 128 90\n$CM_MAG 5000\n{text}")
    assert found.pixel_size_nm == pytest.approx((10, 10))
    assert (found.bar_height, found.warnings) == (6, ())


@pytest.mark.parametrize("marker", ["1", "1um", "1umum", "1um um", "1 \u00b5m"])
def test_jeols_unit_once_twice_or_never(tmp_path: Path, marker: str) -> None:
    found = beside(tmp_path, JEOL.format(bar=100, marker=marker, full="128 90"))
    assert found.pixel_size_nm == pytest.approx((10, 10))


@pytest.mark.parametrize("lines", ["$$SM_MICRON_MARKER 1um", "$$SM_MICRON_BAR 100", ""])
def test_a_jeol_without_half_of_its_scale_bar_is_known_by_its_magnification(tmp_path: Path, lines: str) -> None:
    text = f"$CM_FORMAT JEOL-SEM\n$CM_MAG 10000\n$CM_FULL_SIZE 128 90\n{lines}\n"
    found = beside(tmp_path, text)
    assert found.pixel_size_nm == pytest.approx((100, 100))  # 128 mm / 10000 / 128
    (warning,) = found.warnings
    assert "128 mm" in warning
    assert "None" not in warning
    found = beside(tmp_path, text.replace("$CM_MAG", "$CM_NOTHING"))
    assert found.pixel_size_nm is None
    (warning,) = found.warnings
    assert "no pixel size" in warning
    assert "None" not in warning


def test_newer_jeol_whose_scale_bar_disagrees_warns(tmp_path: Path) -> None:
    text = "$CM_PIXEL_SIZE 10.00nm\n$$SM_MICRON_BAR {}\n$$SM_MICRON_MARKER 1um\n"
    assert not beside(tmp_path, text.format(99)).warnings  # one pixel: rounding
    found = beside(tmp_path, text.format(50))
    assert found.pixel_size_nm == pytest.approx((10, 10))
    assert warned(found, "20 nm by its scale bar")


def test_hitachi_bar_below_the_scan(tmp_path: Path) -> None:
    found = beside(tmp_path, HITACHI.format(size=9.92, columns=128).replace("128x96", "128x90"))
    assert found.bar_height == 6


def test_hitachi_without_pixel_size_tells_what_it_may_be_and_takes_none(tmp_path: Path) -> None:
    found = beside(tmp_path, HITACHI.format(size="", columns=128))
    assert found.pixel_size_nm is None
    assert warned(found, f"{127e6 / 10000 / 128:.4g} nm", "--pixel_size_nm")


@pytest.mark.parametrize(
    ("store", "bar"),
    [("128 * 90", 6), ("128*90", 6), ("128 * 96", None), ("128 * 100", None), ("256 * 90", None), ("128", None)],
)
def test_zeiss_rows_below_those_that_were_stored_are_a_bar(tmp_path: Path, store: str, bar: int | None) -> None:
    path = write(tmp_path / "a.tif", {34118: zeiss(more=f"DP_IMAGE_STORE\r\nStore resolution = {store}\r\n")})
    found = read_acquisition(path)
    assert found.bar_height == bar
    assert any("scaled or cropped" in said for said in found.warnings) == store.startswith("256")


OLD_ZEISS = zeiss().replace("AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 4.000 nm\r\n", "")


def test_zeiss_without_image_pixel_size(tmp_path: Path) -> None:
    # its unnamed number is the pixel of a display of 1024
    found = read_acquisition(write(tmp_path / "a.tif", {34118: OLD_ZEISS}))
    assert found.pixel_size_nm == pytest.approx((4 * 1024 / 128,) * 2)
    assert warned(found, "check against the scale bar")
    field = OLD_ZEISS + "AP_WIDTH\r\nWidth = 4.096 \u00b5m\r\nAP_PIXEL_SIZE\r\nPixel Size = 4.000 nm\r\n"
    found = read_acquisition(write(tmp_path / "b.tif", {34118: field}))
    assert found.pixel_size_nm == pytest.approx((32, 32))
    assert not found.warnings
    found = read_acquisition(write(tmp_path / "c.tif", {34118: OLD_ZEISS + "AP_PIXEL_SIZE\r\nPixel Size = 32 nm\r\n"}))
    assert found.pixel_size_nm == pytest.approx((32, 32))


@pytest.mark.parametrize("text", ["558.2 pm", "558,2 pm", "0.5582 nm", "0.0005582 \u00b5m", "5.582e-7 mm"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_units_of_zeiss(tmp_path: Path, text: str, encoding: str) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {34118: zeiss(text).encode(encoding)}))
    assert found.pixel_size_nm == pytest.approx((0.5582, 0.5582))


ATLAS = (
    '<Fibics version="1.0"><Image><Width>{columns}</Width></Image><Scan><FOV_X units="um">1.28</FOV_X><Ux units="um">'
    '{ux}</Ux><Uy units="um">{uy}</Uy><Vx units="um">{uy}</Vx><Vy units="um">-{ux}</Vy></Scan></Fibics>'
)


@pytest.mark.parametrize(("ux", "uy"), [(0.01, 0), (0.008, 0.006), (0, 0.01), (0.0, -0.01)])
def test_atlas_scans_may_be_rotated(tmp_path: Path, ux: float, uy: float) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {51023: ATLAS.format(columns=128, ux=ux, uy=uy)}))
    assert found.pixel_size_nm == pytest.approx((10, 10))
    assert not found.warnings


def test_atlas_that_was_scaled_warns(tmp_path: Path) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {51023: ATLAS.format(columns=256, ux=0.005, uy=0)}))
    assert warned(found, "256 pixels wide, but the image is 128")


def test_thermo_fisher_with_a_field_of_view_alone(tmp_path: Path) -> None:
    text = (
        "[Beam]\r\nBeam=EBeam\r\nScan=EScan\r\n[EBeam]\r\nHFW=5.12e-007\r\n[Image]\r\nResolutionX=128\r\nResolutionY=90"
    )
    found = read_acquisition(write(tmp_path / "a.tif", {34680: text}))
    assert found.pixel_size_nm == pytest.approx((4, 4))
    assert found.bar_height == 6
    # older instruments: the pixel size in the section of the beam's scan
    text = FEI.format(width=4e-9, height=4e-9, field="", columns=128, rows=90, bar="").replace("[Scan]", "[EScan]")
    assert read_acquisition(write(tmp_path / "b.tif", {34680: text})).pixel_size_nm == pytest.approx((4, 4))


def test_phenom_jpeg(tmp_path: Path) -> None:
    Image.fromarray(IMAGE).save(tmp_path / "a.jpg")
    xml = '<FeiImage><databarHeight>6</databarHeight><pixelWidth unit="um">0.02</pixelWidth></FeiImage>'
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data + xml.encode())
    found = read_acquisition(tmp_path / "a.jpg")
    assert found.pixel_size_nm == pytest.approx((20, 20))
    assert found.bar_height == 6
    (tmp_path / "b.jpg").write_bytes(data + b"</FeiImage><FeiImage>")
    assert read_acquisition(tmp_path / "b.jpg") == Acquisition()


@pytest.mark.parametrize(("unit", "size"), [("nm", (0.5, 0.5)), ("\u00b5m", (500, 500)), ("", None), ("pixels", None)])
def test_gatan(tmp_path: Path, unit: str, size: tuple[float, float] | None) -> None:
    text = unit.encode("latin-1") + b"\0"
    tags = [(code, 2, len(text), text, True) for code in (65003, 65004)]
    tags += [(code, 12, 1, 0.5, True) for code in (65009, 65010)]
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, metadata=None, resolution=(72, 72), extratags=tags)
    found = read_acquisition(tmp_path / "a.tif")
    assert found.pixel_size_nm == (None if size is None else pytest.approx(size))
    assert not found.warnings


@pytest.mark.parametrize("unit", ["cm", "in.", "inch", "pixel"])
def test_imagej_repeats_the_dots_of_the_file_that_it_opened(tmp_path: Path, unit: str) -> None:
    path = write(tmp_path / "a.tif", imagej=True, resolution=(118.11, 118.11), metadata={"unit": unit})
    assert read_acquisition(path).pixel_size_nm is None


def test_imagej_in_centimetres_of_a_specimen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", imagej=True, resolution=(2.5e6, 2.5e6), metadata={"unit": "cm"})
    assert read_acquisition(path).pixel_size_nm == pytest.approx((4, 4))


@pytest.mark.parametrize("unit", ["pixel", "reference frame"])
def test_ome_units_that_are_no_length(tmp_path: Path, unit: str) -> None:
    sizes = " ".join(f'PhysicalSize{axis}="1" PhysicalSize{axis}Unit="{unit}"' for axis in "XY")
    found = read_acquisition(write(tmp_path / "a.ome.tif", description=OME.format(sizes=sizes)))
    assert found.pixel_size_nm is None
    assert warned(found, f"1 {unit}", "ignored")


def test_one_micrometre_by_default_is_doubted(tmp_path: Path) -> None:
    bare = write(tmp_path / "a.ome.tif", description=OME.format(sizes='PhysicalSizeX="1.0" PhysicalSizeY="1.0"'))
    assert warned(read_acquisition(bare), "placeholder")
    sizes = 'PhysicalSizeX="1" PhysicalSizeXUnit="&#181;m" PhysicalSizeY="1000" PhysicalSizeYUnit="nm"'
    found = read_acquisition(write(tmp_path / "b.ome.tif", description=OME.format(sizes=sizes)))
    assert found.pixel_size_nm == pytest.approx((1000, 1000))
    assert not found.warnings


def test_imagej_with_another_unit_along_y(tmp_path: Path) -> None:
    text = b"ImageJ=1.53t\nunit=\xb5m\nyunit=nm\n"
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, metadata=None, description=text, resolution=(250, 0.2), resolutionunit=1)
    assert read_acquisition(path).pixel_size_nm == pytest.approx((5, 4))
