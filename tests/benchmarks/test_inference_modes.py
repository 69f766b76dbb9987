from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from pipeline.synthetic import generate
from pipeline.transforms import NormaliseMicrographd


def test_the_modes_of_a_tiny_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import inference_modes

    output = tmp_path / "modes.json"
    line = ["--network", "unet", "--size", "64", "--repeats", "2", "--device", "cpu", "--no-compile"]
    inference_modes.main([*line, "--output", str(output)])
    rows = {row["mode"]: row for row in json.loads(output.read_text())["modes"]}
    assert set(rows) == {str(mode) for mode in inference_modes.modes(with_compile=False)}
    assert len(rows) == 10
    reference = rows[str(inference_modes.REFERENCE)]
    assert reference["largest_difference"] == reference["flipped"] == 0
    assert reference["ratio"]["median"] == 1
    for row in rows.values():
        assert row["largest_difference"] >= row["mean_difference"] >= 0
        if row["precision"] == "float32":
            assert row["largest_difference"] < 1e-5
    assert 1e-5 < rows["contiguous bfloat16"]["largest_difference"] < 0.1
    assert rows["channels_last float32 as used"]["largest_difference"] > 0
    assert "contiguous float32 fused" in capsys.readouterr().out


def test_windows_are_what_a_network_is_shown() -> None:
    import inference_modes

    images = inference_modes.images_of(None, 64, 3)
    raw = generate((64, 192), seed=0).image
    seen = NormaliseMicrographd("image")({"image": raw[None]})["image"]
    torch.testing.assert_close(torch.cat(list(images), dim=2), torch.as_tensor(seen), rtol=1e-4, atol=1e-5)
