"""The scan divided into output chunks, each with exactly one writer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from math import ceil
from typing import NamedTuple

from pipeline.errors import UserError

#: what every chunk is a multiple of: the grid of the network's poolings, and of TIFF's tiles
CHUNK_MULTIPLE = 16


class Part(NamedTuple):
    """A rectangle of the output, whose corner is the region of interest's (px)."""

    slice: int
    y: int
    x: int
    height: int
    width: int


@dataclass(frozen=True)
class Chunk:
    """Where a chunk lies. `x` and `y` count in the output, whose corner is the region of interest's."""

    index: int
    slice: int
    row: int
    column: int
    y: int
    x: int
    height: int
    width: int


@dataclass(frozen=True)
class ChunkPlan:
    """How the output is cut into chunks, and counted in blocks.

    Chunks are numbered slice by slice, in a slice row by row, and in a row from left to right: the order in which
    striped and tiled files are read best. The first chunk of a slice starts at the corner of the region of interest;
    the last of a row or column may be smaller.

    Attributes:
        height: of the scan, pixels.
        width: of the scan, pixels.
        depth: number of slices; 1 for an image.
        chunk: side of a chunk, pixels, a multiple of 16.
        block: side of the squares in which pore and rock pixels are counted, pixels; it divides `chunk`.
        roi: region of interest in every slice: x, y, width, height in pixels; None for the whole slice.

    Raises:
        UserError: an empty scan, a region that leaves the scan, a chunk or block of an impossible side.
    """

    height: int
    width: int
    depth: int = 1
    chunk: int = 1024
    block: int = 256
    roi: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.depth) < 1:
            raise UserError(f"a scan of {self.width} x {self.height} x {self.depth} pixels holds nothing to segment")
        if self.chunk < CHUNK_MULTIPLE or self.chunk % CHUNK_MULTIPLE:
            raise UserError(f"chunk {self.chunk}: give a multiple of {CHUNK_MULTIPLE} pixels")
        if self.block < 1 or self.chunk % self.block:
            raise UserError(f"block {self.block}: give a divisor of the chunk's side, {self.chunk} pixels")
        x, y, width, height = self.region
        if min(x, y) < 0 or min(width, height) < 1 or x + width > self.width or y + height > self.height:
            raise UserError(
                f"roi {x},{y},{width},{height} (x, y, width, height) leaves the scan of "
                f"{self.width} x {self.height} pixels"
            )

    @property
    def region(self) -> tuple[int, int, int, int]:
        """The part of each slice that is written: x, y, width, height in pixels of the scan."""
        return self.roi or (0, 0, self.width, self.height)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of the output, pixels."""
        _, _, width, height = self.region
        return self.depth, height, width

    @property
    def grid(self) -> tuple[int, int, int]:
        """Number of chunks along slices, rows and columns."""
        depth, height, width = self.shape
        return depth, ceil(height / self.chunk), ceil(width / self.chunk)

    def __len__(self) -> int:
        depth, rows, columns = self.grid
        return depth * rows * columns

    def __getitem__(self, index: int) -> Chunk:
        if not 0 <= index < len(self):
            raise IndexError(f"chunk {index} of {len(self)}")
        _, rows, columns = self.grid
        _, height, width = self.shape
        rest, column = divmod(index, columns)
        slice_, row = divmod(rest, rows)
        y, x = row * self.chunk, column * self.chunk
        return Chunk(index, slice_, row, column, y, x, min(self.chunk, height - y), min(self.chunk, width - x))

    def part(self, index: int) -> Part:
        """What a chunk covers."""
        chunk = self[index]
        return Part(chunk.slice, chunk.y, chunk.x, chunk.height, chunk.width)

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of all that decides which pixel lies in which chunk."""
        fields = {**asdict(self), "roi": self.region}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
