from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import mrcfile
import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.images.microscope import read_acquisition
from tests.images.microscope.files import HITACHI, IMAGE, JEOL, OME, TESCAN, fei, write, zeiss
from tests.paths import SHARED

real = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real images: {SHARED} is missing")


@pytest.mark.data
@real
def test_a_real_file_of_thermo_fisher() -> None:
    found = read_acquisition(SHARED / "vendor_tiff" / "thermo_fei.tif")
    assert found.pixel_size_nm == pytest.approx((97.6562, 97.6562))
    assert found.voltage_kv == 30
    assert found.working_distance_mm == pytest.approx(16.5)
    assert found.detector == "ETD"
    assert "Helios G4" in str(found.instrument)
    assert found.bar_height == 0  # 1024 rows were recorded, and 1024 are there
    assert not found.warnings


@pytest.mark.data
@real
def test_a_real_file_of_zeiss() -> None:
    found = read_acquisition(SHARED / "vendor_tiff" / "zeiss.tif")
    assert found.pixel_size_nm == pytest.approx((55.82, 55.82))
    # independent of the tag's pixel size: its field of view over the image's width
    assert found.pixel_size_nm == pytest.approx((57.16e3 / 1024,) * 2, rel=1e-3)
    assert found.magnification == 2000
    assert found.voltage_kv == 8
    assert found.working_distance_mm == pytest.approx(7.7)
    assert found.detector == "SE2"
    assert found.date == "10 Aug 2018 11:41:13"
    assert found.bar_height is None
    assert not found.warnings


@pytest.mark.data
@real
def test_images_without_metadata_have_no_scale() -> None:
    for name in ("nankai/mosaics/11_image.png", "shale_stack/shale_for_alignment00.png"):
        found = read_acquisition(SHARED / name)
        assert found.pixel_size_nm is None
        assert not found.warnings


@pytest.mark.parametrize("code", [34680, 34682, 34683])
@pytest.mark.parametrize("coded", ["whole", "without filling", ""])
def test_thermo_fishers_xml_also_coded_as_base64(tmp_path: Path, code: int, coded: str) -> None:
    xml = (
        "<?xml version='1.0'?><Metadata><BinaryResult><PixelSize><X unit='m'>4e-9</X><Y unit='m'>4e-9</Y></PixelSize>"
        "</BinaryResult></Metadata>"
    )
    text = base64.encodebytes(xml.encode()).decode() if coded else xml
    text = text.rstrip("=\n") if coded == "without filling" else text
    found = read_acquisition(write(tmp_path / "a.tif", {code: text}))
    assert found.pixel_size_nm == pytest.approx((4, 4))
    assert not found.warnings


@pytest.mark.parametrize("mode", ["2", "3", ""])
def test_thermo_fishers_magnification_is_not_its_mode(tmp_path: Path, mode: str) -> None:
    """By the picture that it refers to, 0.414 m wide, over a field of 150 um."""
    text = fei(field=150e-6, width=150e-6 / 128).replace("[Image]", f"[Image]\r\nMagnificationMode={mode}")
    found = read_acquisition(write(tmp_path / "a.tif", {34682: text}))
    assert found.magnification is None
    text = text.replace("[Image]", "[Image]\r\nMagCanvasRealWidth=0.414")
    found = read_acquisition(write(tmp_path / "a.tif", {34682: text}))
    assert found.magnification == pytest.approx(2760)
    assert not found.warnings


@pytest.mark.parametrize(("field", "fits"), [("57.16 um", True), ("0.5716 um", False), ("57.16 mm", False)])
def test_a_magnification_that_does_not_fit_the_field_of_view_is_left_out(
    tmp_path: Path, field: str, fits: bool
) -> None:
    """A magnification of 2000 refers to a picture of 114 mm."""
    size = {"um": 57.16e3, "mm": 57.16e6}[field[-2:]] / (128 if field[0] == "5" else 12800)
    text = zeiss(f"{size:.6g} nm", f"AP_WIDTH\r\nWidth = {field}\r\n")
    found = read_acquisition(write(tmp_path / "a.tif", {34118: text}))
    assert found.magnification == (2000 if fits else None)
    assert any("magnification (2000) does not fit" in warning for warning in found.warnings) is not fits


def test_thermo_fisher(tmp_path: Path) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {34682: fei()}))
    assert found.pixel_size_nm == pytest.approx((4, 4))
    assert (found.voltage_kv, found.detector) == (5, "TLD")
    assert found.working_distance_mm == pytest.approx(4.1)
    assert found.bar_height == 6
    assert found.sources["pixel_size"] == found.sources["bar_height"] == "Thermo Fisher tag"
    assert not found.warnings


def test_thermo_fisher_of_another_size_than_recorded_warns(tmp_path: Path) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {34682: fei(columns=256, rows=180)}))
    assert any("recorded 256 pixels wide, but the image is 128" in line for line in found.warnings)
    assert found.bar_height is None


def test_thermo_fisher_whose_field_of_view_disagrees_warns(tmp_path: Path) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {34682: fei(field=128 * 8e-9)}))
    assert any("field of view" in line for line in found.warnings)
    assert not read_acquisition(write(tmp_path / "b.tif", {34682: fei(field=128 * 4e-9)})).warnings


def test_two_heights_of_the_bar_warn(tmp_path: Path) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {34682: fei(bar=7)}))
    assert found.bar_height == 6
    assert any("info bar" in line for line in found.warnings)


def test_the_xml_of_phenom(tmp_path: Path) -> None:
    xml = (
        '<?xml version="1.0" encoding="utf-16"?><FeiImage><databarHeight>6</databarHeight><pixelWidth unit="um">0.02'
        '</pixelWidth><pixelHeight unit="um">0.02</pixelHeight><acquisition><workingDistance unit="mm">6.1'
        "</workingDistance></acquisition><multiStage/><time>2020</time></FeiImage>"
    )
    found = read_acquisition(write(tmp_path / "a.tif", {34683: xml}))
    assert found.pixel_size_nm == pytest.approx((20, 20))
    assert found.bar_height == 6


def test_zeiss(tmp_path: Path) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {34118: zeiss()}))
    assert found.pixel_size_nm == pytest.approx((4, 4))
    assert (found.magnification, found.voltage_kv, found.detector) == (2000, 8, "SE2")
    assert found.instrument == "ZEISS Merlin-1"
    assert not found.warnings


def test_zeiss_in_micrometres_with_decimal_comma(tmp_path: Path) -> None:
    assert read_acquisition(write(tmp_path / "a.tif", {34118: zeiss("1,25 µm")})).pixel_size_nm == (1250, 1250)


def test_zeiss_that_was_scaled_warns(tmp_path: Path) -> None:
    more = "DP_IMAGE_STORE\r\nStore resolution = 1024 * 768\r\nAP_WIDTH\r\nWidth = 4.096 µm\r\n"
    found = read_acquisition(write(tmp_path / "a.tif", {34118: zeiss(more=more)}))
    assert any("1024 pixels wide" in line for line in found.warnings)
    assert any("field of view" in line for line in found.warnings)


def test_zeiss_atlas(tmp_path: Path) -> None:
    xml = '<Fibics><Scan><Ux units="um">0.01</Ux><Uy>0</Uy><Vx>0</Vx><Vy units="um">-0.01</Vy></Scan></Fibics>'
    assert read_acquisition(write(tmp_path / "a.tif", {51023: xml})).pixel_size_nm == pytest.approx((10, 10))


@pytest.mark.parametrize("prefix", [b"", b"\x01\x00\xff\xd8\x00binary"])
def test_tescan_tag(tmp_path: Path, prefix: bytes) -> None:
    text = TESCAN.format(size="2.5e-008", strip=12).encode()
    found = read_acquisition(write(tmp_path / "a.tif", {50431: prefix + text}))
    assert found.pixel_size_nm == pytest.approx((25, 25))
    assert (found.voltage_kv, found.magnification, found.bar_height) == (15, 2000, 12)
    assert found.working_distance_mm == pytest.approx(9.12)


@pytest.mark.parametrize("name", ["a.hdr", "a-tif.hdr", "a.tif.hdr", "a.HDR"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "latin-1"])
def test_tescan_side_file(tmp_path: Path, name: str, encoding: str) -> None:
    (tmp_path / name).write_bytes(TESCAN.format(size="2,5e-8", strip=12).encode(encoding))
    found = read_acquisition(write(tmp_path / "a.tif"))
    assert found.pixel_size_nm == pytest.approx((25, 25))
    assert found.bar_height == 12
    assert found.sources["pixel_size"] == "TESCAN side file"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "shift-jis"])
def test_hitachi(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes((HITACHI.format(size=9.92, columns=128) + "Comment=\u65e5\u672c").encode(encoding))
    Image.fromarray(IMAGE).save(tmp_path / "a.bmp")
    found = read_acquisition(tmp_path / "a.bmp")
    assert found.pixel_size_nm == pytest.approx((9.92, 9.92))
    assert (found.voltage_kv, found.magnification, found.detector) == (5, 10000, "SE(U)")
    assert found.working_distance_mm == pytest.approx(8.3)
    assert found.instrument == "Hitachi SU8000"
    assert not found.warnings


def test_hitachi_of_another_size_warns(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(HITACHI.format(size=9.92, columns=1280))
    found = read_acquisition(write(tmp_path / "a.tif"))
    assert any("1280 pixels wide" in line for line in found.warnings)


@pytest.mark.parametrize("marker", ["1um", "1 \u00b5m", "1000nm", "0,001mm"])
def test_jeol(tmp_path: Path, marker: str) -> None:
    (tmp_path / "a.txt").write_text(JEOL.format(bar=100, marker=marker, full="128 90"), encoding="latin-1")
    found = read_acquisition(write(tmp_path / "a.tif"))
    assert found.pixel_size_nm == pytest.approx((10, 10))
    assert (found.voltage_kv, found.magnification, found.detector, found.bar_height) == (5, 10000, "LEI", 6)
    assert found.working_distance_mm == pytest.approx(8.1)


def test_other_text_beside_an_image_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a rock with thin pores, PixelSize=4")
    found = read_acquisition(write(tmp_path / "a.tif"))
    assert found.pixel_size_nm is None
    assert not found.warnings


def test_ome(tmp_path: Path) -> None:
    sizes = 'PhysicalSizeX="0.004" PhysicalSizeY="4" PhysicalSizeYUnit="nm"'
    found = read_acquisition(write(tmp_path / "a.ome.tif", description=OME.format(sizes=sizes)))
    assert found.pixel_size_nm == pytest.approx((4, 4))
    assert found.sources["pixel_size"] == "OME-XML"


def test_imagej(tmp_path: Path) -> None:
    for name, unit in (("a.tif", "um"), ("b.tif", "micron"), ("c.tif", "\\u00B5m")):
        path = write(tmp_path / name, imagej=True, resolution=(250, 250), metadata={"unit": unit})
        assert read_acquisition(path).pixel_size_nm == pytest.approx((4, 4))
    path = write(tmp_path / "d.tif", imagej=True, resolution=(300, 300), metadata={"unit": "inch"})
    assert read_acquisition(path).pixel_size_nm is None


@pytest.mark.parametrize("dpi", [72, 96, 150, 300, 600, 1200])
@pytest.mark.parametrize("unit", ["INCH", "CENTIMETER"])
def test_dots_per_inch_are_no_scale(tmp_path: Path, dpi: int, unit: str) -> None:
    resolution = dpi if unit == "INCH" else round(dpi / 2.54)
    found = read_acquisition(write(tmp_path / "a.tif", resolution=(resolution, resolution), resolutionunit=unit))
    assert found.pixel_size_nm is None


def test_resolution_tags_of_a_specimen(tmp_path: Path) -> None:
    fine = read_acquisition(write(tmp_path / "a.tif", resolution=(2.5e6, 2.5e6), resolutionunit="CENTIMETER"))
    assert fine.pixel_size_nm == pytest.approx((4, 4))
    assert not fine.warnings
    coarse = read_acquisition(write(tmp_path / "b.tif", resolution=(1234, 1234), resolutionunit="CENTIMETER"))
    assert coarse.pixel_size_nm == pytest.approx((1e7 / 1234,) * 2)
    assert any("check it" in line for line in coarse.warnings)


def test_the_makers_tag_goes_first_and_a_disagreement_is_told(tmp_path: Path) -> None:
    ome = OME.format(sizes='PhysicalSizeX="0.008" PhysicalSizeY="0.008"')
    found = read_acquisition(write(tmp_path / "a.ome.tif", {34682: fei()}, description=ome))
    assert found.pixel_size_nm == pytest.approx((4, 4))
    assert any("4 x 4 nm in the Thermo Fisher tag, but 8 x 8 nm in the OME-XML" in line for line in found.warnings)
    agreeing = OME.format(sizes='PhysicalSizeX="0.00401" PhysicalSizeY="0.00401"')
    assert not read_acquisition(write(tmp_path / "b.ome.tif", {34682: fei()}, description=agreeing)).warnings


@pytest.mark.parametrize("size", ["0", "-4e-9", "nan", "inf", "1", "1e-20", "4 parsec", "abc", "1e999", "4.000,0"])
def test_absurd_sizes_are_left_out_with_a_warning(tmp_path: Path, size: str) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {34682: fei(size)}))
    assert found.pixel_size_nm is None
    assert found.warnings


def test_a_broken_place_leaves_the_next(tmp_path: Path) -> None:
    ome = OME.format(sizes='PhysicalSizeX="0.004" PhysicalSizeY="0.004"')
    found = read_acquisition(write(tmp_path / "a.ome.tif", {34682: fei("0")}, description=ome))
    assert found.pixel_size_nm == pytest.approx((4, 4))
    assert found.sources["pixel_size"] == "OME-XML"
    assert found.warnings


def test_pixels_that_are_not_square_warn(tmp_path: Path) -> None:
    found = read_acquisition(write(tmp_path / "a.tif", {34682: fei(4e-9, 5e-9)}))
    assert found.pixel_size_nm == pytest.approx((5, 4))
    assert any("not square" in line for line in found.warnings)


def test_pages_have_their_own_ome_image(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for size in (0.004, 0.02):
            writer.write(IMAGE, metadata={"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size})
    sizes = [read_acquisition(tmp_path / "a.ome.tif", image=i).pixel_size_nm for i in range(2)]
    assert sizes == [pytest.approx((4, 4)), pytest.approx((20, 20))]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti(tmp_path: Path, suffix: str) -> None:
    image = nibabel.Nifti1Image(IMAGE.T, np.diag([0.004, 0.005, 1, 1]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / f"a{suffix}")
    assert read_acquisition(tmp_path / f"a{suffix}").pixel_size_nm == pytest.approx((5, 4), rel=1e-6)
    nibabel.save(nibabel.Nifti1Image(IMAGE.T, np.eye(4)), tmp_path / f"b{suffix}")
    assert read_acquisition(tmp_path / f"b{suffix}").pixel_size_nm is None


def test_nifti_whose_affine_disagrees_or_without_unit_warns(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(IMAGE.T, np.diag([0.004, 0.004, 1, 1]))
    image.header.set_xyzt_units("unknown")
    nibabel.save(image, tmp_path / "a.nii")
    found = read_acquisition(tmp_path / "a.nii")
    assert found.pixel_size_nm is None
    assert any("no unit" in line for line in found.warnings)
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[123] = 3  # xyzt_units: micron
    data[80:84] = np.float32(0.008).tobytes()  # pixdim[1]
    (tmp_path / "b.nii").write_bytes(data)
    assert any("affine" in line for line in read_acquisition(tmp_path / "b.nii").warnings)


def test_ome_zarr(tmp_path: Path) -> None:
    multiscale = {
        "axes": [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "yx"],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [5, 4]}]}],
    }
    (tmp_path / ".zattrs").write_text(json.dumps({"multiscales": [multiscale]}))
    assert read_acquisition(tmp_path).pixel_size_nm == (5, 4)


VOLUME = np.stack([IMAGE] * 3)


def as_nifti(path: Path, shape: tuple[int, ...], z: float) -> None:
    image = nibabel.Nifti1Image(np.zeros(shape, np.uint8), np.diag([0.01, 0.01, z, 1]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, path)


def as_mrc(path: Path, volume: np.ndarray, *, images: bool = False) -> None:
    with mrcfile.new(path) as file:
        file.set_data(volume)
        file.voxel_size = (100, 100, 250)
        if images:
            file.set_image_stack()


def as_ome(path: Path, axes: str, volume: np.ndarray) -> None:
    sizes = {"PhysicalSizeX": 0.01, "PhysicalSizeY": 0.01, "PhysicalSizeZ": 25, "PhysicalSizeZUnit": "nm"}
    tifffile.imwrite(path, volume, photometric="minisblack", metadata={"axes": axes, **sizes})


def as_imagej(path: Path, volume: np.ndarray, **metadata: object) -> None:
    tifffile.imwrite(path, volume, imagej=True, resolution=(100, 100), metadata={"unit": "um", **metadata})


@pytest.mark.parametrize(
    "write_volume",
    [
        lambda path: as_nifti(path.with_suffix(".nii"), (8, 9, 3), 0.025),
        lambda path: as_mrc(path.with_suffix(".mrc"), VOLUME),
        lambda path: as_ome(path.with_suffix(".ome.tif"), "ZYX", VOLUME),
        lambda path: as_imagej(path.with_suffix(".tif"), VOLUME, axes="ZYX", spacing=0.025),
    ],
)
def test_how_far_the_slices_of_a_volume_are_apart(tmp_path: Path, write_volume: Callable[[Path], None]) -> None:
    write_volume(tmp_path / "a")
    (path,) = tmp_path.iterdir()
    found = read_acquisition(path)
    assert found.pixel_size_nm == pytest.approx((10, 10))
    assert found.slice_spacing_nm == pytest.approx(25)
    assert not found.warnings


@pytest.mark.parametrize(
    "write_volume",
    [
        lambda path: as_nifti(path.with_suffix(".nii"), (8, 9), 0.025),
        lambda path: as_nifti(path.with_suffix(".nii"), (8, 9, 3, 2), 0.025),
        lambda path: as_mrc(path.with_suffix(".mrc"), VOLUME[0]),
        lambda path: as_mrc(path.with_suffix(".mrc"), VOLUME, images=True),
        lambda path: as_ome(path.with_suffix(".ome.tif"), "YX", IMAGE),
        lambda path: as_ome(path.with_suffix(".ome.tif"), "CYX", VOLUME),
        lambda path: as_ome(path.with_suffix(".ome.tif"), "TYX", VOLUME),
        lambda path: as_ome(path.with_suffix(".ome.tif"), "CZYX", np.stack([VOLUME] * 2)),
        lambda path: as_imagej(path.with_suffix(".tif"), VOLUME, axes="ZYX"),
        lambda path: as_imagej(path.with_suffix(".tif"), VOLUME, axes="TYX", spacing=0.025),
        lambda path: as_imagej(path.with_suffix(".tif"), VOLUME, axes="ZYX", spacing=0.025, unit=""),
    ],
)
def test_images_that_are_no_slices_of_one_volume_have_no_distance(
    tmp_path: Path, write_volume: Callable[[Path], None]
) -> None:
    write_volume(tmp_path / "a")
    (path,) = tmp_path.iterdir()
    assert read_acquisition(path).slice_spacing_nm is None


def test_an_absurd_distance_of_slices_is_left_out_with_a_warning(tmp_path: Path) -> None:
    as_nifti(tmp_path / "a.nii", (8, 9, 3), 2e5)
    found = read_acquisition(tmp_path / "a.nii")
    assert (found.pixel_size_nm, found.slice_spacing_nm) == (pytest.approx((10, 10)), None)
    assert any("slice spacing" in line for line in found.warnings)


def test_what_is_no_image_is_told_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\x00\xff\xff\xff\xff")
    for path in (tmp_path / "missing.tif", tmp_path / "a.tif"):
        found = read_acquisition(path)
        assert found.pixel_size_nm is None
        assert found.warnings
