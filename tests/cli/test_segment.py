from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.cli.main import main
from pipeline.errors import MISTAKE, SUCCESS
from tests.workflows.export.cases import write_checkpoint


def test_an_image_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vlsenet", "--output_dir", "elsewhere"])  # MONAI's commands would read it
    write_checkpoint(tmp_path / "best.pt")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 96), np.uint8)).save(tmp_path / "scan.png")
    words = ["segment", "scan.png", "--device", "cpu", "--set", "report=false", "--set", "chunk_size=256"]

    assert main(words) == SUCCESS
    captured = capsys.readouterr()
    assert "segmenting scan.png with best.pt (in this folder) into scan_pores" in captured.err
    assert "scan.png: 80 x 96" not in captured.err
    assert "scan.png: 96 x 80 pixels, uint8" in captured.err
    assert "input summary" not in captured.out + captured.err  # MONAI's
    assert "porosity " in captured.out
    assert json.loads((tmp_path / "scan_pores" / "porosity.json").read_text())["rock_pixels"] == 80 * 96
    assert sys.argv == ["vlsenet", "--output_dir", "elsewhere"]

    before = (tmp_path / "scan_pores" / "manifest.json").read_bytes()
    assert main(words) == SUCCESS
    assert "scan.png: already segmented, see scan_pores/overview.png" in capsys.readouterr().err
    assert main([*words, "--set", "threshold=0.3"]) == MISTAKE
    assert "other settings: threshold" in capsys.readouterr().err
    assert (tmp_path / "scan_pores" / "manifest.json").read_bytes() == before
    assert main([*words, "--overwrite", "--set", "threshold=2"]) == MISTAKE
    assert "error: --threshold 2: give a number between 0 and 1" in capsys.readouterr().err
    assert logging.getLogger("vlsenet").handlers == []

    # what is asked for afterwards is written from the finished mask, without the network on the chunks
    chunks = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "scan_pores" / "segmentation.ome.zarr" / "0").rglob("*")
    }
    assert main([*words, "--formats", "tiff"]) == SUCCESS
    assert "writing the results again from the finished mask, for --formats" in capsys.readouterr().err
    mask = tifffile.imread(tmp_path / "scan_pores" / "mask.ome.tif")
    assert mask.shape[-2:] == (80, 96)
    assert chunks == {path: path.stat().st_mtime_ns for path in chunks}
    assert main(words) == SUCCESS  # with fewer files it is finished, too
    assert "already segmented" in capsys.readouterr().err
