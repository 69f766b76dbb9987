from __future__ import annotations

import errno
import multiprocessing
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from pipeline.engine import BlockCounts, Journal
from pipeline.errors import UserError
from tests.engine.scans import REQUEST, bytes_of, segment

COUNTS = BlockCounts(np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]]))


def test_goes_on_with_the_same_request(tmp_path: Path) -> None:
    with Journal.open(tmp_path, REQUEST) as journal:
        journal.add(3, COUNTS)
    with Journal.open(tmp_path, dict(reversed(REQUEST.items()))) as journal:
        journal.add(1, COUNTS)
        entries = journal.entries()
    assert list(entries) == [1, 3]
    np.testing.assert_array_equal(entries[3].pore, COUNTS.pore)
    np.testing.assert_array_equal(entries[3].rock, COUNTS.rock)


def test_any_cut_of_the_last_line_loses_that_line_alone(tmp_path: Path) -> None:
    with Journal.open(tmp_path, REQUEST) as journal:
        for index in range(3):
            journal.add(index, COUNTS)
    path = tmp_path / "chunks-0000.jsonl"
    whole = path.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for cut in range(last, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with Journal.open(tmp_path, REQUEST) as journal:
            assert list(journal.entries()) == [0, 1]
            journal.add(7, COUNTS)
            assert list(journal.entries()) == [0, 1, 7]


def test_damaged_line_does_not_count(tmp_path: Path) -> None:
    with Journal.open(tmp_path, REQUEST) as journal:
        for index in range(3):
            journal.add(index, COUNTS)
        path = tmp_path / "chunks-0000.jsonl"
        path.write_bytes(path.read_bytes().replace(b'"chunk":1', b'"chunk":2'))
        assert list(journal.entries()) == [0, 2]


@pytest.mark.parametrize("content", ["{}", "[1]", '{"request": {}}', "{"])
def test_a_request_of_something_else_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "request.json").write_text(content)
    with pytest.raises(UserError, match=r"request\.json is damaged .*--overwrite"):
        Journal.request_in(tmp_path)
    Journal.open(tmp_path, REQUEST, overwrite=True).close()
    assert Journal.request_in(tmp_path) is not None


def test_another_request_is_refused_and_what_differs_is_named(tmp_path: Path) -> None:
    with Journal.open(tmp_path, REQUEST) as journal:
        journal.add(0, COUNTS)
    other = {"input": {"hash": "cd34", "roi": [0, 0, 117, 150]}, "threshold": 0.5, "prompt": "pore", "chunk": 512}
    with pytest.raises(UserError) as refused:
        Journal.open(tmp_path, other)
    message = str(refused.value)
    assert "input.hash was ab12, now cd34" in message
    assert "chunk was not given, now 512" in message
    assert "threshold" not in message
    assert "roi" not in message
    with Journal.open(tmp_path, REQUEST) as journal:
        assert list(journal.entries()) == [0]


def test_one_of_another_version_is_told_so_and_not_that_settings_differ(tmp_path: Path) -> None:
    Journal.open(tmp_path, {**REQUEST, "format": {"version": 4}}).close()
    with pytest.raises(UserError, match="another version of vlsenet") as refused:
        Journal.open(tmp_path, {**REQUEST, "format": {"version": 5}, "mirror": False})
    assert "--overwrite" in str(refused.value)
    assert "settings" not in str(refused.value)


def test_finished_is_refused_without_overwrite(tmp_path: Path) -> None:
    with Journal.open(tmp_path, REQUEST) as journal:
        journal.add(0, COUNTS)
        journal.finish({"porosity": 0.1})
    with pytest.raises(UserError, match=r"finished.*--overwrite"):
        Journal.open(tmp_path, REQUEST)
    with Journal.open(tmp_path, REQUEST, overwrite=True) as journal:
        assert not journal.entries()
        assert journal.replaces
    # killed here, the run goes on without --overwrite, and still may replace the old store until a chunk is finished
    with Journal.open(tmp_path, REQUEST) as journal:
        assert journal.replaces
        journal.add(0, COUNTS)
    for overwrite in (False, True):  # the same command, given again, goes on
        with Journal.open(tmp_path, REQUEST, overwrite) as journal:
            assert not journal.replaces
            assert list(journal.entries()) == [0]
    with Journal.open(tmp_path, {**REQUEST, "threshold": 0.9}, overwrite=True) as journal:
        assert not journal.entries()


def test_processes_and_threads_write_files_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="all processes must use the same output folder"):
        Journal.join(tmp_path, 1)
    with Journal.open(tmp_path, REQUEST) as first, Journal.join(tmp_path, 1) as second:

        def add(start: int) -> None:
            for index in range(start, 200, 4):
                (first if start % 2 else second).add(index, COUNTS)

        threads = [threading.Thread(target=add, args=(start,)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(first.entries()) == list(range(200))
        assert first.hash == second.hash
    assert len(list(tmp_path.glob("chunks-*.jsonl"))) == 2


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with Journal.open(tmp_path, REQUEST) as journal:
        for overwrite in (False, True):
            with pytest.raises(UserError, match="another process"):
                Journal.open(tmp_path, REQUEST, overwrite)
        journal.add(0, COUNTS)
    with Journal.open(tmp_path, REQUEST) as journal:
        assert list(journal.entries()) == [0]


def test_line_is_on_the_disk_before_add_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    with Journal.open(tmp_path, REQUEST) as journal:
        monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
        journal.add(0, COUNTS)
    assert synced == [(tmp_path / "chunks-0000.jsonl").stat().st_size]


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def half(handle: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data[: len(data) // 2])

    with Journal.open(tmp_path, REQUEST) as journal:
        journal.add(0, COUNTS)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", half)
            with pytest.raises(UserError, match="no space left"):
                journal.add(1, COUNTS)
        assert list(journal.entries()) == [0]
        journal.add(2, COUNTS)
        assert list(journal.entries()) == [0, 2]


def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(tmp_path: Path) -> None:
    segment(tmp_path / "undisturbed")
    folder = tmp_path / "killed"
    random = np.random.default_rng(0)
    kills = 0
    while not (folder / "journal/finished.json").exists():  # a kill may also strike after the last stroke
        worker = multiprocessing.get_context("fork").Process(target=segment, args=(folder, 0.002))
        worker.start()
        worker.join(random.uniform(0, 0.1) if kills < 12 else None)
        if worker.exitcode is None:
            worker.kill()
            worker.join()
            kills += 1
        else:
            assert worker.exitcode == 0
    assert kills >= 1
    assert bytes_of(folder / "out.ome.zarr") == bytes_of(tmp_path / "undisturbed" / "out.ome.zarr")
