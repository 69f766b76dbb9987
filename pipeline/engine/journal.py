"""Which chunks are finished: a record that survives a kill and a power cut at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.changed_settings import changed_settings
from pipeline.engine.block_counts import BlockCounts
from pipeline.errors import UserError
from pipeline.files import make_folders, sync_folder, write_durably, write_error
from pipeline.locks import take_lock

_REQUEST = "request.json"
_FINISHED = "finished.json"
#: of a request: what only another version of this package has otherwise
_OF_VERSION = "format.version "
#: what these files hold at least
_NEEDED = {_REQUEST: {"request", "key"}, _FINISHED: {"key"}}


class TakenError(UserError):
    """Another process is writing the same segmentation."""


class Journal:
    """The finished chunks of one request, one file for each process and one line for each chunk.

    A line is put onto the disk before `add` returns; the chunk must be there before (`ScanStore.write_chunk` sees to
    it). A line carries a checksum and the key of its run: a torn line, or one of an earlier run, does not count, and
    its chunk is written again.

    Process 0 calls `open`; the others call `join` after it.
    """

    def __init__(self, folder: Path, file: int, path: Path, begun: Mapping[str, Any]) -> None:
        self.folder = folder
        self.request: dict[str, Any] = begun["request"]
        #: hash of the request, for the store
        self.hash = request_hash(self.request)
        self._key: str = begun["key"]
        self._path = path
        self._file = file
        self._lock = threading.Lock()
        #: whether the output of an earlier run is to be removed: the user allowed it, and nothing is finished yet
        self.replaces: bool = begun["overwrite"] and not self.entries()

    @classmethod
    def open(cls, folder: str | Path, request: Mapping[str, Any], overwrite: bool = False) -> Journal:
        """Begin a journal, or go on with the one of the same request.

        Args:
            folder: of the journal; made if missing.
            request: everything that decides the result, by name: fingerprint of the input, hash of the checkpoint,
                prompt, threshold, plan of the chunks and tiles, versions of the formats. JSON values; mappings may be
                nested.
            overwrite: replace what is there, if it is finished or of another request; an unfinished one of the same
                request is resumed, so that the same command may be run again after a kill.

        Raises:
            UserError: the folder belongs to another request (the message names what differs) or to a finished
                segmentation, and `overwrite` is off; another process is at work on it; the disk is full or refuses.
        """
        folder = Path(folder)
        request = json.loads(json.dumps(request))  # as it will be read back: tuples become lists
        make_folders(folder)
        file, path = _open_locked(folder, rank=0)
        try:
            begun = cls._to_go_on(folder, request) if overwrite else _read(folder / _REQUEST)
            if begun is None:
                # Earlier lines and an earlier finish carry another key: one rename begins the new run.
                begun = {"request": request, "key": os.urandom(8).hex(), "overwrite": overwrite}
                write_durably(folder / _REQUEST, json.dumps(begun, indent=1, sort_keys=True).encode() + b"\n")
            if differences := changed_settings(begun["request"], request):
                if any(name.startswith(_OF_VERSION) for name in differences):
                    raise UserError(
                        f"{folder} belongs to a segmentation by another version of vlsenet, which can't be resumed: "
                        "--overwrite segments anew, or choose another output folder"
                    )
                raise UserError(
                    f"{folder} belongs to a segmentation with other settings: {'; '.join(differences)}. Use the "
                    "original settings to resume, choose another output folder, or give --overwrite"
                )
            if _is_finished(folder, begun):
                raise UserError(f"{folder}: this segmentation is already finished; --overwrite segments it again")
            return cls(folder, file, path, begun)
        except BaseException:
            os.close(file)
            raise

    @staticmethod
    def request_in(folder: str | Path) -> dict[str, Any] | None:
        """The request of the segmentation in a folder, or None where there is none."""
        begun = _read(Path(folder) / _REQUEST)
        return None if begun is None else begun["request"]

    @staticmethod
    def is_finished(folder: str | Path, request: Mapping[str, Any]) -> bool:
        """Whether the segmentation of this request is finished in a folder."""
        begun = _read(Path(folder) / _REQUEST)
        same = begun is not None and begun["request"] == json.loads(json.dumps(request))
        return begun is not None and same and _is_finished(Path(folder), begun)

    @staticmethod
    def finished_in(folder: str | Path) -> tuple[dict[str, Any], dict[int, BlockCounts]] | None:
        """Request and entries of the finished segmentation in a folder, which nothing is written to; None where there
        is none, or it is not finished."""
        begun = _read(Path(folder) / _REQUEST)
        if begun is None or not _is_finished(Path(folder), begun):
            return None
        return begun["request"], _entries(Path(folder), begun["key"])

    @staticmethod
    @contextmanager
    def reading(folder: str | Path) -> Iterator[None]:
        """Keep other processes from writing a finished segmentation while it is read; any number may read at once.

        Raises:
            TakenError: one is writing it.
        """
        try:
            file = os.open(Path(folder) / _file_name(0), os.O_RDONLY)
        except OSError:  # there is none, as whoever reads will find
            file = None
        try:
            if file is not None and not take_lock(file, str(Path(folder).parent), shared=True):
                raise TakenError(
                    f"{Path(folder).parent}: another process is segmenting into it: wait for it, or stop it"
                )
            yield
        finally:
            if file is not None:
                os.close(file)

    @staticmethod
    def reopen(folder: str | Path) -> None:
        """Mark a finished segmentation as unfinished, so that it resumes: some of its results were removed.

        Raises:
            UserError: the disk refuses.
        """
        path = Path(folder) / _FINISHED
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(path, error) from error

    @staticmethod
    def _to_go_on(folder: Path, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """What `open` noted in the folder, if it is of this request and not finished."""
        try:
            begun = _read(folder / _REQUEST)
            same = begun is not None and begun["request"] == request and not _is_finished(folder, begun)
        except UserError:  # damaged: replaced, as the user asked for
            return None
        return begun if same else None

    @classmethod
    def join(cls, folder: str | Path, rank: int) -> Journal:
        """The journal that process 0 opened, for another process.

        Args:
            folder: of the journal.
            rank: number of this process, from 1.
        """
        begun = _read(Path(folder) / _REQUEST)
        if begun is None:
            raise UserError(f"{folder} holds no {_REQUEST}: all processes must use the same output folder")
        return cls(Path(folder), *_open_locked(Path(folder), rank), begun)

    def add(self, index: int, counts: BlockCounts) -> None:
        """Note that a chunk is finished; when this returns, the note is on the disk. Threads may call it at once.

        Args:
            index: of the chunk.
            counts: what `ScanStore.write_chunk` returned.

        Raises:
            UserError: the disk is full or refuses. The chunk then counts as unfinished.
        """
        record = {"chunk": index, "pore": counts.pore.tolist(), "rock": counts.rock.tolist()}
        text = json.dumps([self._key, record], separators=(",", ":")).encode()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        with self._lock:
            try:
                # a line that a kill or a full disk tore is closed off, so that this one stands alone
                size = os.fstat(self._file).st_size
                if size and os.pread(self._file, 1, size - 1) != b"\n":
                    line = b"\n" + line
                written = 0
                while written < len(line):
                    written += os.write(self._file, line[written:])
                os.fsync(self._file)
            except OSError as error:
                raise write_error(self._path, error) from error

    def entries(self) -> dict[int, BlockCounts]:
        """Pixels of the phases and of rock in the blocks of all processes' finished chunks, by number, ascending."""
        return _entries(self.folder, self._key)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Mark the whole segmentation as finished: the same request is then refused without `overwrite`.

        Args:
            summary: JSON values, kept in ``finished.json``.
        """
        content = {"key": self._key, **summary}
        write_durably(self.folder / _FINISHED, json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")

    def close(self) -> None:
        """Close the file of this process."""
        os.close(self._file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _entries(folder: Path, key: str) -> dict[int, BlockCounts]:
    """The counts of all chunks that the run with this key has finished, by number, ascending."""
    found: dict[int, BlockCounts] = {}
    for path in sorted(folder.glob("chunks-*.jsonl")):
        with path.open("rb") as lines:
            for line in lines:
                record = _parse(line, key)
                if record is not None:
                    found[record["chunk"]] = BlockCounts(np.array(record["pore"]), np.array(record["rock"]))
    return dict(sorted(found.items()))


def _parse(line: bytes, own_key: str) -> dict[str, Any] | None:
    """The record of a line, or None where it is torn, damaged or of another run."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    key, record = json.loads(text)
    return record if key == own_key else None


def _is_finished(folder: Path, begun: Mapping[str, Any]) -> bool:
    return bool((_read(folder / _FINISHED) or {}).get("key") == begun["key"])


def _open_locked(folder: Path, rank: int) -> tuple[int, Path]:
    """The file of a process and its path, locked until it is closed or the process dies.

    Two runs in one folder would rename each other's half-written chunks into place.
    """
    path = folder / _file_name(rank)
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        sync_folder(folder)
    except OSError as error:
        raise write_error(path, error) from error
    if not take_lock(file, str(folder.parent)):
        os.close(file)
        raise TakenError(f"another process is writing or reading this segmentation ({path}): wait for it, or stop it")
    return file, path


def _file_name(rank: int) -> str:
    return f"chunks-{rank:04d}.jsonl"


def request_hash(request: Mapping[str, Any]) -> str:
    """SHA-256 of a request, in hexadecimal, whatever the order of its names."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON file of the journal, or None where there is none."""
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict) or not _NEEDED[path.name] <= content.keys():
            raise ValueError("it is not of a segmented scan")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}): --overwrite starts the segmentation from scratch") from error
    return content
