from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.cli.main import main
from pipeline.errors import MISTAKE, SUCCESS


@pytest.fixture
def rock(tmp_path: Path) -> Path:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        for name in "ab":
            pixels = np.random.default_rng(0).integers(0, 255, (32, 40), np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    return tmp_path


def test_it_writes_once(rock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", str(rock), "--dry_run"]) == SUCCESS
    out = capsys.readouterr().out
    assert out.startswith("a: A scanning electron micrograph")
    assert "2 prompts would be written (1 different)" in out
    assert not (rock / "text").exists()
    assert main(["prompts", str(rock)]) == SUCCESS
    assert "2 prompts written" in capsys.readouterr().out
    assert main(["prompts", str(rock)]) == SUCCESS
    assert "0 prompts written (0 different), 2 kept" in capsys.readouterr().out
    (rock / "text" / "a.txt").write_text("mine")
    assert main(["prompts", str(rock), "--overwrite"]) == SUCCESS
    assert (rock / "text" / "a.txt").read_text() != "mine"


def test_mistakes_are_one_line(rock: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["prompts", str(rock / "images")]) == MISTAKE
    monkeypatch.delenv("VLSENET_LLM_URL", raising=False)
    assert main(["prompts", str(rock), "--writer", "language_model"]) == MISTAKE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: ") for line in lines)


def test_a_bad_image_costs_the_others_nothing(rock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rock / "images" / "a.png").write_bytes(b"")
    assert main(["prompts", str(rock)]) == MISTAKE
    captured = capsys.readouterr()
    assert "a.png" in captured.err
    assert "1 prompts written" in captured.out
    assert (rock / "text" / "b.txt").exists()
