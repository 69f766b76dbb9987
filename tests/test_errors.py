from __future__ import annotations

import errno
from pathlib import Path

import pytest

from pipeline.errors import UserError, first_line, mistake_behind, on_one_line


def wrapped(error: BaseException) -> BaseException:
    """As MONAI and Ignite hand errors on."""
    try:
        try:
            raise error
        except BaseException as first:
            raise RuntimeError("Failed to evaluate ConfigExpression") from first
    except RuntimeError as second:
        try:
            raise ValueError("while cleaning up")
        except ValueError as third:
            third.__context__ = second
            return third


def test_a_mistake_is_found_below_the_errors_of_libraries() -> None:
    mistake = UserError("give another file")
    assert mistake_behind(wrapped(mistake)) is mistake
    assert mistake_behind(wrapped(KeyError("x"))) is None


def test_a_ring_of_causes_ends() -> None:
    """As `raise error from error` makes one, where a function gives back the error that it was given."""
    mistake, other = UserError("give another file"), KeyError("x")
    mistake.__cause__ = mistake
    assert mistake_behind(mistake) is mistake
    other.__cause__ = other
    assert mistake_behind(other) is None


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded", "a.csv"),
        RuntimeError("(sqlite3.OperationalError) database or disk is full\n[SQL: CREATE TABLE experiments"),
    ],
)
def test_a_full_disk_is_one_line(error: Exception) -> None:
    told = str(mistake_behind(wrapped(error)))
    assert told.startswith("no space left on the disk")
    assert "free some space" in told
    assert len(told.splitlines()) == 1
    assert ("a.csv" in told) == (getattr(error, "filename", None) == "a.csv")


def test_a_path_that_the_file_system_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path in (tmp_path / "file" / "below", tmp_path / "a" / "below", tmp_path / "a", tmp_path / "file"):
        with pytest.raises(OSError) as refused:  # noqa: PT011
            path.mkdir()
        told = str(mistake_behind(wrapped(refused.value)))
        assert told.startswith(f"{path}: can't be read or written (")
        assert len(told.splitlines()) == 1


def test_other_errors_of_files_are_not_hidden() -> None:
    assert mistake_behind(OSError(errno.EIO, "Input/output error")) is None
    assert mistake_behind(PermissionError(errno.EPERM, "Operation not permitted")) is None  # of no path
    assert mistake_behind(FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv")) is None


def test_the_first_line_of_an_error() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(TimeoutError()) == "TimeoutError"
    assert first_line(ValueError(" \n")) == "ValueError"
    assert len(first_line(ValueError("x" * 999))) == 200


def test_all_lines_of_an_error_are_joined() -> None:
    assert on_one_line(ValueError("not a\n  TIFF\tfile\n")) == "not a TIFF file"
    assert on_one_line(ValueError()) == "ValueError"
