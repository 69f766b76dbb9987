from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.engine import BlockCounts, Journal, ScanStore
from pipeline.tiling.chunk_plan import ChunkPlan

#: goes on where it was killed, as a segmentation does, and leaves what it has as argument
SEGMENTATION = """
import pathlib, sys, time
folder, text = pathlib.Path(sys.argv[1]), sys.argv[2]
for part in ("journal", "segmentation.ome.zarr/0/0/0/0/0"):
    (folder / part).mkdir(parents=True, exist_ok=True)
(folder / "segmentation.ome.zarr/0/.zarray").write_text('{"shape": [1, 2, 1, 10, 1], "chunks": [1, 1, 1, 1, 1]}')
done = folder / "journal/chunks-0000.jsonl"
for number in range(len(done.read_text().splitlines()) if done.exists() else 0, 10):
    (folder / f"segmentation.ome.zarr/0/0/0/0/0/{number}").write_text(text)
    with done.open("a") as lines:
        lines.write("line\\n")
    time.sleep(0.03)
for name in ("porosity.json", "porosity_fields.csv", "overview.png"):
    (folder / name).write_text("x")
"""


class FakeCommand:
    def __init__(self, folder: Path, texts: Iterator[str]) -> None:
        self.folder, self._texts = folder, texts

    def start(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", SEGMENTATION, str(self.folder), next(self._texts)]
        return subprocess.Popen(words, start_new_session=True)

    def check(self, process: subprocess.Popen[bytes]) -> None:
        assert process.wait() == 0


def texts(first: str, others: str) -> Iterator[str]:
    yield first
    while True:
        yield others


@pytest.mark.parametrize(("later", "different"), [("same", False), ("other", True)])
def test_kills_are_counted_and_bytes_compared(tmp_path: Path, later: str, different: bool) -> None:
    from _scan_commands import kill_and_resume

    result = kill_and_resume(FakeCommand(tmp_path / "out", texts("same", later)), 3)
    assert result["kills"] == sum(result["phases"].values()) == 3
    assert set(result["phases"]) <= {"chunks", "results"}
    assert result["finished"] >= 1
    assert result["different"] == (result["finished"] if different else 0)
    assert result["files"] == 14
    assert not (tmp_path / "out").exists()


def test_phase_of_a_segmentation(tmp_path: Path) -> None:
    from _scan_commands import phase_of

    store = ScanStore.create(tmp_path / "segmentation.ome.zarr", ChunkPlan(600, 600, chunk=256), "request")
    counts = BlockCounts(np.zeros((1, 1), int), np.zeros((1, 1), int))
    with Journal.open(tmp_path / "journal", {}) as journal:
        for index in range(9):
            assert phase_of(tmp_path) == "chunks"
            journal.add(index, counts)
    assert phase_of(tmp_path) == "pyramid"
    _, rows, columns = store.grid(len(store.shapes) - 1)
    for channel in range(2):
        for row in range(rows):
            for column in range(columns):
                store.write(len(store.shapes) - 1, channel, (0, row, column), np.zeros((1, 1), np.uint8))
    assert phase_of(tmp_path) == "results"
    (tmp_path / "manifest.json").write_text("{}")
    assert phase_of(tmp_path) == "end"


def test_a_scan_is_made_of_turned_and_mirrored_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import _scan_data

    monkeypatch.setattr(_scan_data, "IMAGE", 64)
    monkeypatch.setattr(_scan_data, "TILE", 32)
    _scan_data.write_scan(tmp_path / "scan.tif", 250)
    scan = tifffile.imread(tmp_path / "scan.tif")
    assert scan.shape == (250, 250)
    with tifffile.TiffFile(tmp_path / "scan.tif") as file:
        assert file.pages[0].tile == (32, 32)
    images = [_scan_data.generate((64, 64), seed=seed).image for seed in range(3)]
    versions = [np.rot90(image, turns)[:, ::step] for image in images for turns in range(4) for step in (1, -1)]
    found = set()
    for top in range(0, 250, 64):
        for left in range(0, 250, 64):
            block = scan[top : top + 64, left : left + 64]
            same = [np.array_equal(version[: block.shape[0], : block.shape[1]], block) for version in versions]
            assert sum(same) == 1
            found.add(same.index(True))
    assert len(found) > 6


@pytest.mark.parametrize("batch", [1, 3])
def test_time_and_answer_of_the_network_alone_and_of_monai(tmp_path: Path, batch: int) -> None:
    import _scan_data
    from _scan_runs import BareNetwork, Case, compare_time, segment, slide

    scan, model = tmp_path / "scan.tif", tmp_path / "model.pt"
    _scan_data.write_model(model, "unet", _scan_data.TINY)
    tifffile.imwrite(scan, _scan_data.generate((512, 512), seed=1).image, tile=(128, 128))
    case = Case(scan, model, chunk_size=256, precision="float32")
    sizes = {"chunk_size": 256, "halo": 128, "batch": batch}
    bare = BareNetwork(case, sizes)
    windows = list(bare._batches())
    if batch == 1:
        assert bare.share == 4 * (256 + 128) ** 2 / 512**2
        assert [window.shape for window in windows] == [(1, 1, 384, 384)] * 4
        run = segment(case, tmp_path / "out", keep=True)
        assert sum(run["stages"].values()) == pytest.approx(run["seconds"])
        assert {"first_look", "chunks", "pyramid", "summary", "results"} < set(run["stages"])
        theirs = slide(case, tmp_path / "out", sizes)
        # of an untrained network the probability is near 0.5; with enough halo nothing else differs
        assert theirs["largest"] < 1.01 / 255
        assert theirs["pixels"] == 512**2
        assert theirs["window"] == 512
        compared = compare_time(case, tmp_path / "again", 1)
        assert compared["ratio"]["median"] == compared["end_to_end"][0] / compared["network"][0]
    else:
        assert [window.shape for window in windows] == [(3, 1, 512, 512)] * 2
        np.testing.assert_array_equal(windows[1][1], windows[1][2])


def test_dice_is_that_of_scikit_learn() -> None:
    from scan import dice
    from sklearn.metrics import f1_score

    mask, label = np.random.default_rng(0).random((2, 50, 40)) < 0.3
    assert dice(mask, label) == pytest.approx(f1_score(label.ravel(), mask.ravel()))


def test_parts_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from scan import arguments_of

    assert "real" not in arguments_of([]).parts
    (tmp_path / "mosaics").mkdir()
    assert "real" in arguments_of(["--checkpoint", "best.pt", "--nankai", str(tmp_path)]).parts
    with pytest.raises(SystemExit):
        arguments_of(["--parts", "memory,money"])
    assert "money: choose from memory, time" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        arguments_of(["--parts", "real", "--nankai", str(tmp_path)])
    assert "give --checkpoint" in capsys.readouterr().err


def test_a_process_of_its_own() -> None:
    from _memory import alone

    assert alone(os.getpid) != os.getpid()


def test_what_differs_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from _scan_commands import differing

    assert not differing({"a": "1"}, json.loads('{"a": "1"}'))
    assert differing({"a": "1", "b": "2"}, {"a": "1", "c": "2"})
    assert capsys.readouterr().out == "2 files differ: b, c\n"
