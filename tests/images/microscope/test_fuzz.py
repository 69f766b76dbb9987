"""No crash, no hang, and no scale that the file didn't give, whatever is in the file."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.images.microscope import Acquisition, fei, hitachi, jeol, read_acquisition, standard, tescan, zeiss
from pipeline.images.microscope import tiff_tags as gatan
from pipeline.images.microscope.acquisition import merged
from pipeline.images.microscope.findings import LARGEST_NM, SMALLEST_NM, Finding
from tests.images.microscope.files import HITACHI, JEOL, OME, TESCAN, write
from tests.images.microscope.files import fei as fei_tag
from tests.images.microscope.files import zeiss as zeiss_tag

QUICK = settings(
    max_examples=60,
    deadline=timedelta(seconds=20),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
SHAPE = (96, 128)

values = st.one_of(
    st.floats(),
    st.integers(-(10**30), 10**30),
    st.text(max_size=20),
    st.sampled_from(["4 nm", "0,004 µm", "4e-9", "-4 nm", "0", "nan", "4 Âµm", "4 pm", "1e400", "٣ nm", "4 m", "None"]),
)


def check(found: Acquisition | Finding | None) -> None:
    """What is found can be true, and is plain."""
    if found is None:
        return
    acquisition = merged([found], []) if isinstance(found, Finding) else found
    for size in acquisition.pixel_size_nm or ():
        assert SMALLEST_NM <= size <= LARGEST_NM
    for number in (acquisition.magnification, acquisition.voltage_kv, acquisition.working_distance_mm):
        assert number is None or (math.isfinite(number) and number > 0)
    assert acquisition.bar_height is None or acquisition.bar_height >= 0
    for text in (acquisition.detector, acquisition.date, acquisition.instrument, *acquisition.warnings):
        assert text is None or text.isprintable()
    assert acquisition.describe().isprintable()


FEI_KEYS = [
    "PixelWidth",
    "PixelHeight",
    "ResolutionX",
    "ResolutionY",
    "HV",
    "WD",
    "Beam",
    "DatabarHeight",
    "HorFieldsize",
]
sections = st.one_of(values, st.dictionaries(st.sampled_from(FEI_KEYS), values))


@QUICK
@given(st.dictionaries(st.sampled_from(["Scan", "Image", "Beam", "EBeam", "PrivateFei", "User", ""]), sections))
def test_thermo_fisher(metadata: dict[str, Any]) -> None:
    found = fei.from_tag(metadata, SHAPE)
    check(found)
    assert found.pixel_size_nm is not None or found.warnings


@QUICK
@given(st.dictionaries(
    st.sampled_from(["ap_image_pixel_size", "ap_pixel_size", "", "ap_width", "dp_image_store", "ap_mag", "ap_wd"]),
    st.one_of(values, st.lists(values, max_size=5).map(tuple)),
))  # fmt: skip
def test_zeiss(metadata: dict[str, Any]) -> None:
    found = zeiss.from_tag(metadata, SHAPE)
    check(found)
    assert found.pixel_size_nm is not None or found.warnings


@QUICK
@given(values, values, values)
def test_text_of_makers(one: Any, two: Any, three: Any) -> None:
    check(tescan.from_text(TESCAN.format(size=one, strip=two), "TESCAN tag", SHAPE))
    check(hitachi.from_text(HITACHI.format(size=one, columns=two), SHAPE))
    check(jeol.from_text(JEOL.format(bar=one, marker=two, full=three), SHAPE))


@QUICK
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    for prefix in (
        "",
        "[SemImageFile]\n",
        "$CM_MAG ",
        "PixelSizeX=",
        "<Fibics><Scan><Ux>",
        "$CM_FIELD_OF_VIEW ",
        "$CM_PIXEL_SIZE ",
    ):
        check(tescan.from_text(prefix + text, "TESCAN tag", SHAPE))
        check(hitachi.from_text(prefix + text, SHAPE))
        check(jeol.from_text(prefix + text, SHAPE))
        check(fei.from_xml(prefix + text, SHAPE))
        check(zeiss.from_fibics(prefix + text, SHAPE))
        check(standard.from_ome(prefix + text, 0))


@QUICK
@given(
    values, values, st.text(max_size=8), st.one_of(st.none(), st.tuples(st.floats(), st.floats())), st.integers(0, 9)
)
def test_standard_places(
    size: Any, other: Any, unit: str, resolution: tuple[float, float] | None, resolution_unit: int
) -> None:
    text = OME.format(sizes=f'PhysicalSizeX="{size}" PhysicalSizeY="{other}" PhysicalSizeXUnit="{unit}"')
    check(standard.from_ome(text, 0))
    check(standard.from_imagej({"unit": unit}, resolution))
    check(standard.from_imagej({"unit": "nm"}, resolution))
    check(gatan.from_tags(unit, unit, size, other))
    check(standard.from_resolution(resolution, resolution_unit))


@QUICK
@given(st.floats(1e-3, 1e6), st.sampled_from(["pm", "nm", "um", "µm", "μm", "mm", "m"]), st.booleans())
def test_a_size_is_right_or_left_out(size: float, unit: str, comma: bool) -> None:
    nm = size * {"pm": 1e-3, "nm": 1, "mm": 1e6, "m": 1e9}.get(unit, 1e3)
    text = repr(size).replace(".", ",") if comma else repr(size)
    finding = Finding("test")
    finding.take_pixel_size(f"{text} {unit}", f"{text}{unit}")
    if SMALLEST_NM <= nm <= LARGEST_NM:
        assert finding.pixel_size_nm == pytest.approx((nm, nm))
    else:
        assert finding.pixel_size_nm is None
        assert finding.warnings


@QUICK
@given(st.binary(max_size=400))
def test_any_tag(tmp_path: Path, data: bytes) -> None:
    for code in (34682, 34680, 34683, 34118, 51023, 50431):
        check(read_acquisition(write(tmp_path / "a.tif", {code: data or b"\0"})))


@QUICK
@given(st.data())
def test_damaged_files(tmp_path: Path, data: st.DataObject) -> None:
    tags: dict[int, str | bytes] = {
        34682: fei_tag(),
        34118: zeiss_tag(),
        50431: TESCAN.format(size=4e-9, strip=6).encode(),
    }
    content = bytearray(write(tmp_path / "a.tif", tags).read_bytes())
    # the header and the tags are the interesting part; the pixels lie behind
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, min(len(content), 1200) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "b.tif").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    check(read_acquisition(tmp_path / "b.tif"))


@QUICK
@given(st.binary(max_size=300), st.sampled_from([".txt", ".hdr"]))
def test_any_side_file(tmp_path: Path, data: bytes, suffix: str) -> None:
    write(tmp_path / "a.tif")
    for prefix in (
        b"",
        b"[SemImageFile]\r\nPixelSize=",
        b"$$SM_MICRON_BAR 1",
        b"PixelSizeX=4e-9\n",
        b"\xff\xfe",
        b"\xfe\xff",
    ):
        (tmp_path / f"a{suffix}").write_bytes(prefix + data)
        check(read_acquisition(tmp_path / "a.tif"))


@QUICK
@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"II*\0", b"MM\0*", b"\x1f\x8b", b"\x5c\x01\0\0", b"\x89PNG\r\n\x1a\n"]),
)
def test_any_file(tmp_path: Path, data: bytes, start: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(start + data)
    (tmp_path / "a.txt").write_bytes(b"[SemImageFile]\nPixelSize=4")
    check(read_acquisition(tmp_path / "a.tif"))


def test_entities_are_not_expanded() -> None:
    nested = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(12))
    text = f'<!DOCTYPE x [<!ENTITY e0 "lol">{nested}]><OME><Image><Pixels PhysicalSizeX="&e12;"/></Image></OME>'
    found = standard.from_ome(text, 0)
    assert found.pixel_size_nm is None
    assert found.warnings
