from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline.engine import ScanStore, build_pyramid
from pipeline.engine.store import PROBABILITY
from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.tiling.chunk_plan import ChunkPlan
from tests.engine.scans import PLAN, bytes_of, part, probability_of, write_all


def test_zarr_reads_what_was_written(tmp_path: Path) -> None:
    plan = ChunkPlan(70, 50, depth=2, chunk=32, block=16)
    write_all(tmp_path / "a.ome.zarr", plan, threshold=0.3)
    image = zarr.open(str(tmp_path / "a.ome.zarr"), mode="r")["0"][:]
    probability = probability_of(plan)
    assert image.shape == (1, 2, 2, 70, 50)
    np.testing.assert_array_equal(image[0, 0], np.where(probability >= 0.3, 255, 0))
    assert np.abs(image[0, 1] / 255 - probability).max() <= 0.5 / 255 + 1e-6


def test_metadata_is_that_of_ngff(tmp_path: Path) -> None:
    plan = ChunkPlan(200, 200, chunk=32, block=16, roi=Roi(20, 10, 117, 150))
    ScanStore.create(tmp_path / "a.ome.zarr", plan, "request", pixel_size_nm=5.0, slice_spacing_nm=10.0)
    group = zarr.open(str(tmp_path / "a.ome.zarr"), mode="r")
    (scales,) = group.attrs["multiscales"]
    assert scales["version"] == "0.4"
    assert [axis["name"] for axis in scales["axes"]] == list("tczyx")
    assert {axis.get("unit") for axis in scales["axes"][2:]} == {"nanometer"}
    first = np.array(group["0"].shape[-2:])
    for level, dataset in enumerate(scales["datasets"]):
        scale, translation = (t[t["type"]] for t in dataset["coordinateTransformations"])
        np.testing.assert_array_equal(group[dataset["path"]].shape[-2:], -(-first // 2**level))
        assert scale == [1, 1, 10, 5 * 2**level, 5 * 2**level]
        # the corner of the image stays where it is: centre of the first pixel less half a pixel
        corner = np.array(translation[3:]) - np.array(scale[3:]) / 2
        np.testing.assert_allclose(corner, [10 * 5 - 2.5, 20 * 5 - 2.5])
    assert max(group[scales["datasets"][-1]["path"]].shape[-2:]) <= 32
    assert [channel["label"] for channel in group.attrs["omero"]["channels"]] == ["mask", "probability"]


def test_bytes_depend_on_the_data_alone(tmp_path: Path) -> None:
    write_all(tmp_path / "a" / "x.ome.zarr")
    order = np.random.default_rng(1).permutation(len(PLAN)).tolist()
    # another order, each chunk twice, in another thread
    thread = threading.Thread(target=write_all, args=(tmp_path / "b" / "x.ome.zarr", PLAN, order + order))
    thread.start()
    thread.join()
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_large_chunks_are_one_block_of_blosc(tmp_path: Path) -> None:
    """Blosc's threads place several blocks in the order in which they finish: their bytes would differ between runs."""
    plan = ChunkPlan(1024, 1024)
    store = ScanStore.create(tmp_path / "a.ome.zarr", plan, "request")
    store.write_chunk(0, probability_of(plan), [0.5])
    header = (tmp_path / "a.ome.zarr/0/0/1/0/0/0").read_bytes()[:12]
    uncompressed, block = np.frombuffer(header, "<u4")[1:]
    assert uncompressed == block == 1024 * 1024


def test_two_writers_give_the_bytes_of_one(tmp_path: Path) -> None:
    write_all(tmp_path / "one" / "x.ome.zarr")
    path = tmp_path / "two" / "x.ome.zarr"
    ScanStore.create(path, PLAN, "request")

    barrier = threading.Barrier(2)

    def work(rank: int) -> None:
        store = ScanStore.open(path, PLAN)
        for index in range(rank, len(PLAN), 2):
            store.write_chunk(index, part(PLAN, probability_of(PLAN), index)[None], [0.5])
        barrier.wait()
        build_pyramid(store, rank, 2, barrier=barrier.wait)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_counts_and_ground_without_rock(tmp_path: Path) -> None:
    plan = ChunkPlan(40, 24, chunk=48, block=16)
    store = ScanStore.create(tmp_path / "a.ome.zarr", plan, "request")
    probability = probability_of(plan)[0]
    rock = np.zeros((40, 24), bool)
    rock[:20, :18] = True
    counts = store.write_chunk(0, probability[None], [0.5], rock)
    np.testing.assert_array_equal(counts.rock, [[256, 32], [64, 8], [0, 0]])
    assert counts.pore[1, 0] == (probability[16:20, :16] >= 0.5).sum()
    assert counts.pore.sum() == (store.read(0, 0, (0, 0, 0)) == 255).sum() == (probability[rock] >= 0.5).sum()
    assert not store.read(0, 1, (0, 0, 0))[~rock].any()


def test_full_disk_is_one_clear_error_and_what_is_done_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b" / "x.ome.zarr"
    store = ScanStore.create(path, PLAN, "request")
    probability = probability_of(PLAN)
    store.write_chunk(0, part(PLAN, probability, 0)[None], [0.5])
    before = bytes_of(path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="no space left"):
            store.write_chunk(1, part(PLAN, probability, 1)[None], [0.5])
    assert bytes_of(path) == before
    write_all(path)
    write_all(tmp_path / "a" / "x.ome.zarr")
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_nan_is_refused(tmp_path: Path) -> None:
    store = ScanStore.create(tmp_path / "a.ome.zarr", PLAN, "request")
    with pytest.raises(UserError, match="x 32, y 0"):
        store.write_chunk(1, np.full((1, 32, 32), np.nan, np.float32), [0.5])
    assert not store.has_chunk(1)


def test_other_requests_and_other_folders_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    ScanStore.create(path, PLAN, "request").write_chunk(0, part(PLAN, probability_of(PLAN), 0)[None], [0.5])
    assert ScanStore.create(path, PLAN, "request").has_chunk(0)
    with pytest.raises(UserError, match="other settings"):
        ScanStore.create(path, PLAN, "another")
    with pytest.raises(UserError, match="chunks are laid out differently"):
        ScanStore.open(path, ChunkPlan(150, 118, chunk=32, block=16))
    assert not ScanStore.create(path, PLAN, "another", replace=True).has_chunk(0)
    assert [file.name for file in tmp_path.iterdir()] == ["a.ome.zarr"]

    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / ".zattrs").write_text(json.dumps({"multiscales": []}))
    with pytest.raises(UserError, match="was not written by a segmentation"):
        ScanStore.create(foreign, PLAN, "request", replace=True)


def test_damaged_chunk_is_named(tmp_path: Path) -> None:
    store = write_all(tmp_path / "a.ome.zarr")
    file = tmp_path / "a.ome.zarr/0/0/1/0/2/1"
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(UserError, match="0/0/1/0/2/1"):
        store.read(0, 1, (0, 2, 1))


def test_any_rectangle_is_read_across_chunks(tmp_path: Path) -> None:
    store = ScanStore.create(tmp_path / "s.ome.zarr", ChunkPlan(70, 90, depth=2, chunk=32, block=16), "request")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 70, 90), np.uint8)
    for chunk in (store.plan[index] for index in range(len(store.plan))):
        part = pixels[chunk.slice, chunk.y : chunk.y + chunk.height, chunk.x : chunk.x + chunk.width]
        store.write(0, PROBABILITY, (chunk.slice, chunk.row, chunk.column), part)
    for rows, columns in (
        (slice(None), slice(None)),
        (slice(31, 33), slice(60, 200)),
        (slice(64, 65), slice(5)),
        (slice(70, 80), slice(3, 9)),
    ):
        np.testing.assert_array_equal(store.read_area(0, PROBABILITY, 1, rows, columns), pixels[1, rows, columns])
    np.testing.assert_array_equal(np.concatenate(list(store.bands(PROBABILITY, 1))), pixels[1])
