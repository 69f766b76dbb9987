"""The segmentation of a scan on disk, as one OME-Zarr: mask and probability, or of several phases label image and
probabilities."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs import Blosc

from pipeline.engine.block_counts import BlockCounts, count_blocks
from pipeline.engine.journal import request_hash
from pipeline.engine.ome_metadata import LABELS, array_metadata, level_shapes, ome_groups
from pipeline.errors import UserError
from pipeline.files import make_folders, partial_path, sync_folder, write_durably, write_error
from pipeline.images.rectangles import Roi
from pipeline.phases import PORE, decided
from pipeline.tiling.chunk_plan import ChunkPlan

#: to be part of the request: raised whenever the same model would write other bytes for the same scan
FORMAT_VERSION = 5
#: what is read and written: the mask of pores, or the label image of several phases; then the probability, or the first
#: of those of several phases
MASK, PROBABILITY = range(2)
_MARK = "vlsenet"
_ATTRIBUTES = ".zattrs"


class ScanStore:
    """Mask and 8-bit probability of a scan in a pyramid of levels, as napari, QuPath and Fiji open it.

    Where the one phase is pore, it is one image of two channels, axes t, c, z, y, x: channel 0 the mask (0, or 255 in
    pores), channel 1 the probability (0 to 255 for 0 to 1). Of other phases, channel 0 is the label image, 0 for none
    of them, or where there is no rock, and k for the phase with the number k, from 1; and channel k is the probability
    of phase k. The label image is also in ``labels/phases``, with names and colours: napari shows it from there, while
    readers of Bio-Formats leave that group out.

    A chunk is a file of its own. It is written beside its name, put onto the disk and renamed,
    so that it is whole or not there, also after a power cut; the same probabilities give the same bytes, in whatever
    order and by however many writers. Each chunk must have one writer at a time.

    One process calls `create`; others call it after that one, or `ScanStore.open`.
    """

    def __init__(self, path: Path, plan: ChunkPlan, phases: Sequence[str] = (PORE,)) -> None:
        self.path = path
        self.plan = plan
        self.phases = tuple(phases)
        #: whether it has a label image
        self.labelled = self.phases != (PORE,)
        self.shapes = level_shapes(plan.shape, plan.chunk)
        # One block for a whole chunk: Blosc's threads place blocks in the order in which they finish, so that the bytes
        # of several would differ from run to run.
        # Level 3 takes four times as long, while the network waits for a core, and saves a tenth of the bytes.
        self._codec = Blosc(cname="zstd", clevel=1, shuffle=Blosc.NOSHUFFLE, blocksize=plan.chunk**2)

    @classmethod
    def create(
        cls,
        path: str | Path,
        plan: ChunkPlan,
        request: str,
        *,
        pixel_size_nm: float | None = None,
        slice_spacing_nm: float | None = None,
        replace: bool = False,
        phases: Sequence[str] = (PORE,),
    ) -> ScanStore:
        """Make the store, or go on with the one of the same request.

        Args:
            path: folder; end its name in ``.ome.zarr``, by which QuPath knows it. No folder above it may hold
                ``.zarr`` in its name: Bio-Formats takes the first for the image.
            plan: the chunks.
            request: hash of the request (`Journal.hash`), kept in the store.
            pixel_size_nm: nanometres, if known.
            slice_spacing_nm: distance of slices, nanometres; where it is not known, the pixel size stands in its place.
            replace: remove an earlier store first (`Journal.replaces`).
            phases: names of those that were asked for.

        Raises:
            UserError: something else lies at `path`, or the disk refuses.
        """
        store = cls(Path(path), plan, phases)
        path = store.path
        named = store.phases if store.labelled else ()
        corner = (plan.region.y, plan.region.x)
        groups = ome_groups(path.name, len(store.shapes), named, corner, pixel_size_nm, slice_spacing_nm)
        mark = {"format": FORMAT_VERSION, "plan": plan.hash, "request": request}
        groups[""][_MARK] = mark | ({"phases": list(named)} if named else {})
        removed = path.with_name(f".{path.name}.removed")
        if path.exists():
            there = _read_mark(path)
            if there is None and not _is_unborn(path):
                raise UserError(
                    f"{path} was not written by a segmentation: move it away, or choose another output folder"
                )
            if there is not None and there != groups[""][_MARK] and not replace:
                raise UserError(
                    f"{path} was made with other settings: choose another output folder, or give --overwrite"
                )
            if there is not None and replace:
                # renamed first: half removed under its own name, it would be nobody's
                shutil.rmtree(removed, ignore_errors=True)
                path.rename(removed)
                sync_folder(path.parent)
        if removed.exists():
            shutil.rmtree(removed, ignore_errors=True)
        # the attributes first: they hold the mark, by which the next run knows its own store
        for group, attributes in groups.items():
            make_folders(path / group)
            store._write_json(group, _ATTRIBUTES, attributes)
            store._write_json(group, ".zgroup", {"zarr_format": 2})
        store._make_folders()
        store._write_arrays()
        return store

    @classmethod
    def open(cls, path: str | Path, plan: ChunkPlan) -> ScanStore:
        """The store that `create` made with the same plan.

        Raises:
            UserError: no such store, or one of another plan.
        """
        mark = _read_mark(Path(path))
        if mark is None or mark.get("plan") != plan.hash:
            raise UserError(f"{path} does not belong to this segmentation: its chunks are laid out differently")
        return cls(Path(path), plan, mark.get("phases", (PORE,)))

    @classmethod
    def finished(cls, path: str | Path, request: Mapping[str, Any]) -> ScanStore:
        """The store of a finished segmentation, without its scan.

        Args:
            path: of the store.
            request: of its journal.

        Raises:
            UserError: there is no such store, or it is of another request.
        """
        mark = _read_mark(Path(path))
        if mark is None or mark.get("request") != request_hash(request):
            raise UserError(f"{path} is missing, or not of this segmentation: segment the scan again with --overwrite")
        x, y, width, height = request["region"]
        depth = json.loads((Path(path) / "0" / ".zarray").read_text())["shape"][-3]
        # what lies beyond the region is not known, and not needed: chunks are laid out from the region's corner
        plan = ChunkPlan(y + height, x + width, depth, request["chunk_size"], roi=Roi(x, y, width, height))
        return cls(Path(path), plan, mark.get("phases", (PORE,)))

    def write_chunk(
        self, index: int, probability: np.ndarray, thresholds: Sequence[float], rock: np.ndarray | None = None
    ) -> BlockCounts:
        """Write mask, or label image, and probabilities of a chunk; when this returns, all are on the disk.

        Args:
            index: number of the chunk in the plan.
            probability: of each phase, 0 to 1, (K, H, W) of the chunk.
            thresholds: of each phase; which one a pixel is: `pipeline.phases.decided`.
            rock: where the scan shows rock (H, W), boolean; None: everywhere. Elsewhere all channels are 0.

        Returns:
            The counts for the journal.

        Raises:
            UserError: NaN in the probability, or the disk is full or refuses.
            ValueError: another shape than the chunk's.
        """
        chunk = self.plan[index]
        shape = (chunk.height, chunk.width)
        if probability.shape != (len(self.phases), *shape) or (rock is not None and rock.shape != shape):
            raise ValueError(f"chunk {index} is {shape}, the probability {probability.shape}")
        if np.isnan(probability).any():
            raise UserError(
                f"the network produced NaN at x {chunk.x}, y {chunk.y} (chunk {index}): "
                "look for damaged pixels there, or try --precision float32"
            )
        codes = decided(probability, thresholds)
        counted = np.ones(shape, bool) if rock is None else rock.astype(bool)
        codes *= counted
        at = (chunk.slice, chunk.row, chunk.column)
        for number, phase in enumerate(probability):
            levels = np.clip(phase, 0, 1)
            levels *= 255
            grey = np.rint(levels, out=levels).astype(np.uint8)
            grey *= counted
            self.write(0, PROBABILITY + number, at, grey)
        self.write(0, MASK, at, codes if self.labelled else codes * np.uint8(255))
        counts = [count_blocks(codes == number, self.plan.block) for number in range(1, len(probability) + 1)]
        of_phases = np.stack(counts) if self.labelled else counts[0]
        return BlockCounts(of_phases, count_blocks(counted, self.plan.block))

    @property
    def channels(self) -> range:
        """Numbers of what is read and written of each chunk."""
        return range(PROBABILITY + len(self.phases))

    def grid(self, level: int) -> tuple[int, int, int]:
        """Number of chunks of a level along slices, rows and columns."""
        depth, height, width = self.shapes[level]
        return depth, ceil(height / self.plan.chunk), ceil(width / self.plan.chunk)

    def has(self, level: int, at: tuple[int, int, int]) -> bool:
        """Whether all channels of a chunk (slice, row, column) are there. What is there is whole."""
        files = [file for channel in self.channels for file in self._files(level, channel, at)]
        return all(map(self._is_there, files))

    def has_chunk(self, index: int) -> bool:
        """Whether a chunk of the plan is there, on level 0."""
        chunk = self.plan[index]
        return self.has(0, (chunk.slice, chunk.row, chunk.column))

    def write(self, level: int, channel: int, at: tuple[int, int, int], pixels: np.ndarray) -> None:
        """Write one channel (H, W), uint8, of a chunk (slice, row, column) of a level."""
        side = self.plan.chunk
        full = np.zeros((side, side), np.uint8)  # Zarr 2 stores chunks at the edge in full
        full[: pixels.shape[0], : pixels.shape[1]] = pixels
        data = bytes(self._codec.encode(full))
        for file in self._files(level, channel, at):
            self._put(file, data)

    def read(self, level: int, channel: int, at: tuple[int, int, int]) -> np.ndarray:
        """One channel (H, W), uint8, of a chunk (slice, row, column) of a level, cut at the image's edge.

        Raises:
            UserError: the chunk is missing or damaged.
        """
        side = self.plan.chunk
        _, height, width = self.shapes[level]
        file = self._file(level, channel, at)
        try:
            data = self._get(file)
            _check_sizes(data, side**2)
            full = np.frombuffer(self._codec.decode(data), np.uint8).reshape(side, side)
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(
                f"{file} is missing or damaged ({error}): delete it and run the same command again, with --overwrite "
                "if the segmentation was finished"
            ) from error
        return full[: min(side, height - at[1] * side), : min(side, width - at[2] * side)]

    def read_area(
        self, level: int, channel: int, slice_: int, rows: slice = slice(None), columns: slice = slice(None)
    ) -> np.ndarray:
        """One channel (H, W), uint8, of a rectangle in a slice of a level; each chunk that it touches is read once.

        Args:
            level: of the pyramid, 0 the finest.
            channel: of `channels`.
            slice_: number of the slice.
            rows: start and stop (px of the level); what lies beyond the image is cut off.
            columns: likewise.

        Raises:
            UserError: a chunk is missing or damaged.
        """
        return self.area_of(partial(self.read, level, channel), level, slice_, rows, columns)

    def area_of(
        self,
        read: Callable[[tuple[int, int, int]], np.ndarray],
        level: int,
        slice_: int,
        rows: slice,
        columns: slice,
    ) -> np.ndarray:
        """`read_area` by a function that gives chunks (H, W), uint8, by slice, row and column: such as one that keeps
        those that are read again."""
        side = self.plan.chunk
        _, height, width = self.shapes[level]
        (top, bottom, _), (left, right, _) = rows.indices(height), columns.indices(width)
        area = np.empty((bottom - top, right - left), np.uint8)
        for y in range(top // side * side, bottom, side):
            for x in range(left // side * side, right, side):
                chunk = read((slice_, y // side, x // side))
                part = chunk[max(top - y, 0) : bottom - y, max(left - x, 0) : right - x]
                first, start = max(y - top, 0), max(x - left, 0)
                area[first : first + part.shape[0], start : start + part.shape[1]] = part
        return area

    def bands(self, channel: int, slice_: int) -> Iterator[np.ndarray]:
        """One channel of a slice on level 0, a row of chunks (H, W) at a time, from top to bottom; uint8."""
        side = self.plan.chunk
        for top in range(0, self.plan.shape[1], side):
            yield self.read_area(0, channel, slice_, slice(top, top + side))

    def _put(self, file: Path, data: bytes) -> None:
        write_durably(file, data)

    def _get(self, file: Path) -> bytes:
        return file.read_bytes()

    def _is_there(self, file: Path) -> bool:
        return file.exists()

    def _file(self, level: int, channel: int, at: tuple[int, int, int]) -> Path:
        return self._files(level, channel, at)[0]

    def _files(self, level: int, channel: int, at: tuple[int, int, int]) -> list[Path]:
        """The file of a chunk; of a label image also the one in its group."""
        slice_, row, column = at
        place = f"{slice_}/{row}/{column}"
        files = [self.path / f"{level}/0/{channel}/{place}"]
        return [*files, self.path / LABELS / f"{level}/0/0/{place}"] if self.labelled and channel == MASK else files

    def _make_folders(self) -> None:
        for level in range(len(self.shapes)):
            depth, rows, _ = self.grid(level)
            for channel in self.channels:
                for slice_ in range(depth):
                    for row in range(rows):
                        for file in self._files(level, channel, (slice_, row, 0)):
                            make_folders(file.parent)

    def _write_arrays(self) -> None:
        """The metadata of all levels."""
        groups = {"": len(self.channels), **({LABELS: 1} if self.labelled else {})}
        for group, channels in groups.items():
            for level, shape in enumerate(self.shapes):
                metadata = array_metadata(shape, channels, self.plan.chunk, self._codec.get_config())
                self._write_json(f"{group}/{level}".lstrip("/"), ".zarray", metadata)

    def _write_json(self, group: str, name: str, content: dict[str, Any]) -> None:
        data = (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
        path = self.path / group / name
        try:
            same = path.exists() and path.read_bytes() == data
        except OSError as error:
            raise write_error(path, error) from error
        if not same:
            write_durably(path, data)


def _check_sizes(data: bytes, pixels: int) -> None:
    """Refuse a file cut short: Blosc trusts the sizes in the header (bytes 4 to 7 and 12 to 15), and reads on."""
    stated = (int.from_bytes(data[4:8], "little"), int.from_bytes(data[12:16], "little"))
    if stated != (pixels, len(data)):
        raise ValueError(f"{len(data)} bytes")


def _read_mark(path: Path) -> dict[str, Any] | None:
    """What `create` noted in the store, or None where it was not it that made it."""
    try:
        mark = json.loads((path / _ATTRIBUTES).read_text()).get(_MARK)
    except (OSError, ValueError, AttributeError):
        return None
    return mark if isinstance(mark, dict) else None


def _is_unborn(path: Path) -> bool:
    """Whether the folder holds nothing but what `create` leaves when it is killed at its very start."""
    return all(file == partial_path(path / _ATTRIBUTES) for file in path.iterdir())
