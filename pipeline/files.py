"""Files that are either whole or not there, also after a kill or a power cut; and their hashes."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from pipeline.errors import FULL_DISK, FileProblem, UserError

#: letters of a temporary name that are drawn
_DRAWN = 12
#: bytes of a file's name, on all usual file systems
_LONGEST = 255
#: bytes of a file's name in its temporary one, and of a suffix that a writer may choose its format by
_LONGEST_BEGIN, _LONGEST_SUFFIX = 80, 20


def name_that_fits(name: str, *, before: str = "", after: str = "", longest: int = _LONGEST) -> str:
    """A file name made of another, which is shortened where the whole would be too long for a file system.

    Args:
        name: of a file or sample, which may be as long as a file's name may be.
        before: what the new name begins with ...
        after: ... and ends with.
        longest: the whole name (bytes).
    """
    left = longest - len(os.fsencode(before + after))
    if len(os.fsencode(name)) > left:  # names that differ only where they are cut stay different
        mark = "-" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
        name = _first_bytes(name, left - len(mark)) + mark
    return f"{before}{name}{after}"


def _first_bytes(text: str, count: int) -> str:
    """Whole letters of at most so many bytes."""
    return os.fsencode(text)[:count].decode(errors="ignore")


#: temporary files that are being written
_UNFINISHED: set[Path] = set()


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Lend a path for a file that is removed at the end, if it is still there."""
    _UNFINISHED.add(path)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        _UNFINISHED.discard(path)


def remove_unfinished() -> None:
    """Remove all that `temporary_file` has lent: for what ends a process at once, without its exceptions."""
    for path in list(_UNFINISHED):
        with suppress(OSError):
            path.unlink()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Lend a temporary path beside `path`; what was written there is renamed to `path` at the end.

    Readers see the old file or the new one, never half of it, also when the writer is killed or two processes
    write the same file. The folder is made if missing. On an exception the temporary file is removed and `path`
    stays as it was; an error of the file system then names `path`.

    Args:
        path: where the file shall end up.

    Yields:
        An absolute path with the same suffix (writers choose the format by it) in the same folder (so that the rename
        stays within one file system).

    Raises:
        UserError: its folder can't be made.
    """
    path = Path(path).absolute()  # libraries take a relative folder such as `http:` for an address
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # in a folder in which none can be made, such as /proc
        raise write_error(path.parent, error) from error
    begin, suffix = _begin_and_suffix(path)
    with temporary_file(path.with_name(f"{begin}{uuid4().hex[:_DRAWN]}{suffix}")) as temporary:
        try:
            yield temporary
            os.replace(temporary, path)
        except OSError as error:
            # a write names no file, and the temporary name says nothing to a user
            if error.errno is not None and error.filename in (None, temporary, str(temporary)):
                error.filename = str(path)
            raise


@contextmanager
def files_together(folder: Path) -> Iterator[Callable[[str], Path]]:
    """Lend temporary paths for files of a folder: at the end they are renamed one after the other, the first one last.

    On an exception, of a full disk or an interrupt, none of them appears, and earlier files stay as they were.

    Yields:
        A function that gives the path for a name; as `atomic_path`.
    """
    with ExitStack() as lent:
        yield lambda name: lent.enter_context(atomic_path(folder / name))


def write_text(path: Path, text: str) -> None:
    """Write a text file through `atomic_path`, in UTF-8."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def left_over(path: str | Path) -> list[Path]:
    """Temporary files of `path` whose writers were killed, or are still at work."""
    path = Path(path)
    begin, suffix = _begin_and_suffix(path)
    return sorted(path.parent.glob(glob.escape(begin) + "[0-9a-f]" * _DRAWN + glob.escape(suffix)))


def _begin_and_suffix(path: Path) -> tuple[str, str]:
    # `.nii.gz` is one suffix: nibabel looks at both parts
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    if len(os.fsencode(suffix)) > _LONGEST_SUFFIX:
        suffix = ""
    return f".{_first_bytes(path.name.removesuffix(suffix), _LONGEST_BEGIN)}-", suffix


def write_error(path: Path, error: OSError) -> UserError:
    """The error for the user when writing failed."""
    if error.errno in FULL_DISK:
        return UserError(
            f"no space left on the disk to write {path}; free some space and run the same command again: what is "
            "finished is kept"
        )
    return UserError(
        f"cannot write {path} ({error.strerror or error}); fix this and run the same command again: what is finished "
        "is kept"
    )


def sync_folder(folder: Path) -> None:
    """Put a folder's list of names onto the disk: until then, a power cut may undo a rename in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, and put them onto the disk.

    Raises:
        UserError: the folder can't be made.
    """
    missing = []
    at = folder
    while not at.is_dir() and at != at.parent:
        missing.append(at)
        at = at.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for made in reversed(missing):
            sync_folder(made.parent)
    except OSError as error:
        raise write_error(folder, error) from error


def partial_path(path: Path) -> Path:
    """Where `write_durably` writes before it renames."""
    return path.with_name(f".{path.name}.partial")


def write_durably(path: Path, data: bytes) -> None:
    """Write a file in a folder that is there; when this returns, it is on the disk under its name.

    The temporary file's name depends on `path` only, unlike `pipeline.files`: what a killed writer left is overwritten
    and renamed by the one who writes that file again, and no leftovers stay. Each file must have one writer at a time.

    Raises:
        UserError: the disk is full, or refuses. The earlier file, if any, stays.
    """
    temporary = partial_path(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise write_error(path, error) from error


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; of a folder (a Zarr), of the names and bytes of all files in it."""
    digest = hashlib.sha256()  # hashlib.file_digest needs Python 3.11
    root = Path(path)
    for part in sorted(inside for inside in root.rglob("*") if inside.is_file()) if root.is_dir() else [root]:
        if part != root:
            digest.update(f"{part.relative_to(root).as_posix()}\0".encode())
        with part.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def read_bytes(path: Path) -> bytes:
    """The whole content of a file.

    Raises:
        FileProblem: it is missing or can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_open(path, error) from error


def cannot_open(path: Path, error: OSError) -> FileProblem:
    """What to tell the user when a file could not be opened for reading."""
    if isinstance(error, IsADirectoryError):
        return FileProblem(path, "it is a folder, but a file is needed", "give one file")
    if not isinstance(error, FileNotFoundError):
        cause = error.strerror or type(error).__name__
        return FileProblem(path, f"it can't be opened ({cause})", "check its permissions and the disk")
    if path.is_symlink():
        what = f"it is a link to {os.readlink(path)}, which does not exist"
        return FileProblem(path, what, "fix the link, or give the file itself")
    return FileProblem(path, "no such file", "check the path")
