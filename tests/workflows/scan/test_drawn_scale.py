"""The pixel size from the bar that is drawn in a scan: used where it is asked for, else offered."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw, ImageFont

from pipeline.cli.main import main
from pipeline.errors import MISTAKE, SUCCESS, UserError
from pipeline.images import ScanVolume
from pipeline.images.microscope import text_recognition
from pipeline.images.volume import open_volume
from pipeline.options.configs import OF_CONFIGS
from pipeline.synthetic import generate
from pipeline.workflows import PredictionSettings, ScanSegmentation, ScanSettings
from pipeline.workflows.scan import voxel
from pipeline.workflows.scan.voxel import offer_scale_bar, take_scale_bar
from tests.workflows.export.cases import trained_model

reads_text = pytest.mark.skipif(
    not text_recognition.can_read_text(), reason="the extra scale_bar (rapidocr, onnxruntime) is missing"
)
#: what the bar says: 2 um over 160 px
NM = 12.5


@pytest.fixture
def micrograph(tmp_path: Path) -> Path:
    """A PNG, which tells no pixel size, with an info bar that does."""
    whole = Image.new("L", (400, 360), 0)
    whole.paste(Image.fromarray(generate((300, 400), seed=3).image))
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(18)
    draw.rectangle([20, 340, 179, 343], fill=255)
    draw.text((100, 320), "2 um", 255, font, anchor="mm")
    draw.text((220, 330), "EHT = 5.00 kV", 255, font, anchor="lm")
    whole.save(tmp_path / "a.png")
    return tmp_path / "a.png"


def with_tags(micrograph: Path, nm: float) -> Path:
    path = micrograph.with_suffix(".tif")
    resolution = {"resolution": (1e7 / nm, 1e7 / nm), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, np.asarray(Image.open(micrograph)), metadata=None, **resolution)
    return path


def segment(scan: Path, pixel_size_nm: float | str | None, **more: bool) -> dict:
    settings = ScanSettings(
        "pore",
        (0.5,),
        PredictionSettings(chunk_size=256, precision="float32"),
        report=False,
        pixel_size_nm=pixel_size_nm,
    )
    model = trained_model(scan.parent)
    ScanSegmentation(str(scan), scan.parent / "out", model, settings, **more).run()
    return json.loads((scan.parent / "out" / "manifest.json").read_text())


def opened(scan: Path) -> ScanVolume:
    return open_volume(str(scan), info_bar="auto")


@reads_text
def test_used_where_it_is_asked_for(micrograph: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="vlsenet")
    manifest = segment(micrograph, "scale-bar")
    assert manifest["pixel_size_nm"] == pytest.approx(NM, rel=1e-3)
    assert manifest["scale_bar"]["pixels"] == pytest.approx(160, abs=0.1)
    assert (micrograph.parent / "out" / "scale_bar.png").is_file()
    assert "pixels of 12.5 nm (scale bar, 2 um over 160 px" in caplog.text
    caplog.clear()
    segment(micrograph, "scale-bar")
    assert "already segmented" in caplog.text


@reads_text
def test_never_used_unasked(micrograph: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="vlsenet")
    manifest = segment(micrograph, None)
    assert manifest["pixel_size_nm"] is None
    assert manifest["scale_bar"] is None
    assert not (micrograph.parent / "out" / "scale_bar.png").exists()
    offer = "scale bar: 2 um over 160 px, 12.5 nm/px; --pixel_size_nm scale-bar takes it"
    assert caplog.text.count(offer) == 1


@reads_text
def test_it_is_not_looked_for_where_the_size_is_known(micrograph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voxel, "find_scale_bar", lambda *arguments: pytest.fail("it was looked for"))
    assert segment(with_tags(micrograph, 40), None)["pixel_size_nm"] == pytest.approx(40, rel=1e-3)


@reads_text
@pytest.mark.parametrize(("tags", "doubted"), [(12.5, False), (25.0, True)])
def test_the_bar_goes_before_the_file_with_a_warning(micrograph: Path, tags: float, doubted: bool) -> None:
    with opened(with_tags(micrograph, tags)) as volume:
        take_scale_bar(volume)
        assert volume.acquisition.pixel_size_nm == (NM, NM)
        warned = [
            line for line in volume.acquisition.warnings if "the scale bar says 2 um over 160 px, 12.5 nm/px" in line
        ]
    assert len(warned) == doubted
    assert all("25 nm" in line and "rescaled or cropped" in line for line in warned)


@reads_text
def test_a_scan_without_a_bar_is_refused(tmp_path: Path) -> None:
    Image.fromarray(generate((300, 400), seed=3).image).save(tmp_path / "a.png")
    remedy = r"a\.png: --pixel_size_nm scale-bar: no scale bar .* give the size in nm"
    with opened(tmp_path / "a.png") as volume, pytest.raises(UserError, match=remedy):
        take_scale_bar(volume)


def test_what_reads_text_names_itself_when_it_is_missing(
    micrograph: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="vlsenet")
    for module in (voxel, text_recognition):
        monkeypatch.setattr(module, "can_read_text", lambda: False)
    option = next(option for option in OF_CONFIGS if option.name == "pixel_size_nm" and "scan" in option.commands)
    with pytest.raises(UserError, match=r"scale-bar: needs .* pip install '\.\[scale_bar\]'"):
        option.check("scale-bar")
    with opened(micrograph) as volume:
        with pytest.raises(UserError, match=r"a\.png: --pixel_size_nm scale-bar needs .* pip install"):
            take_scale_bar(volume)
        offer_scale_bar(volume)
    assert caplog.text.count("pip install '.[scale_bar]'") == 1


@pytest.mark.parametrize(("value", "problem"), [(12.5, None), (0, "or scale-bar"), ("scalebar", "or scale-bar")])
def test_values_of_the_option(value: float | str, problem: str | None) -> None:
    option = next(option for option in OF_CONFIGS if option.name == "pixel_size_nm" and "scan" in option.commands)
    said = option.kind.problem(value)
    assert said is None if problem is None else problem in said
    assert [option.kind.read(text) for text in ("12.5", "scale-bar", "scale_bar")] == [12.5, "scale-bar", "scale_bar"]


@reads_text
def test_info_shows_it_and_draws_what_was_read(micrograph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = micrograph.with_name("bar.png")
    assert main(["info", str(micrograph), "--scale_bar_png", str(picture)]) == SUCCESS
    assert "2 um over 160 px, 12.5 nm/px; vlsenet segment --pixel_size_nm scale-bar takes it" in capsys.readouterr().out
    assert picture.is_file()
    assert main(["info", str(micrograph), "--scale_bar_png", str(picture)]) == MISTAKE  # it is not replaced
    assert "it exists" in capsys.readouterr().err
    assert main(["info", str(with_tags(micrograph, 25)), "--json"]) == SUCCESS
    facts = json.loads(capsys.readouterr().out)
    assert facts["pixel_width_nm"] == pytest.approx(25, rel=1e-3)  # the file's; the bar's is only shown
    assert facts["scale_bar"]["nm_per_pixel"] == pytest.approx(NM, rel=1e-3)
    assert any("rescaled or cropped" in warning for warning in facts["warnings"])
    empty = micrograph.with_name("empty.png")
    Image.fromarray(generate((300, 400), seed=3).image).save(empty)
    assert main(["info", str(empty), "--scale_bar_png", str(micrograph.with_name("none.png"))]) == MISTAKE
    assert "no scale bar of" in capsys.readouterr().err
    assert not micrograph.with_name("none.png").exists()
